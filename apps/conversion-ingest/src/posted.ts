import { isSurely } from '@baton/contracts';
import { type FieldProblem, Problem, problemsOf } from '@baton/platform';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { ConversionBody, IdentityBody, ReversalBody, TouchBody, VerificationBody } from './bodies';
import { unstorableIn } from './domain';

/** A fact in the words of our own API, as a door hands it in: not checked yet. */
export interface Posted {
  readonly kind: PostedKind;
  readonly body: unknown;
  /** The dialect itself says that it is a trial: stored as from a test key. */
  readonly test?: boolean;
  /** What whoever read it found wrong before us; the body is then what could be read of it. */
  readonly problem?: Problem;
}

const BODIES = {
  conversion: ConversionBody,
  reversal: ReversalBody,
  identity: IdentityBody,
  verification: VerificationBody,
  touch: TouchBody,
} as const;
export type PostedKind = keyof typeof BODIES;
export type Read = { [K in PostedKind]: { readonly kind: K; readonly body: InstanceType<(typeof BODIES)[K]> } }[PostedKind];

/** The checked body, or why it is none. What has a reason code of its own (money, time, evidence) is judged later. */
export function readPosted({ kind, body, problem }: Posted): Read | Problem {
  if (problem) return problem;
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return new Problem('malformed', 'Send a JSON object.');
  const type = BODIES[kind] as new () => object;
  let read: object = body;
  if (!isSurely(type, body)) {
    read = plainToInstance(type, body);
    const problems = problemsOf(validateSync(read, { whitelist: true, forbidNonWhitelisted: true }));
    if (problems.length > 0) return malformed(problems);
  }
  const where = unstorableIn(read);
  if (where !== null) {
    const field = { field: where, problem: 'a character that cannot be stored' };
    return new Problem('malformed', `${where} holds a character that cannot be stored (NUL, or half of a surrogate pair).`, {
      errors: [field],
    });
  }
  return { kind, body: read } as Read;
}

const malformed = (errors: readonly FieldProblem[]): Problem =>
  new Problem(
    'malformed',
    `The body has ${errors.length === 1 ? 'a problem' : `${errors.length} problems`}: ${errors.map(({ problem }) => problem).join('; ')}`,
    { errors },
  );
