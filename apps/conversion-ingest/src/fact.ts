import { type Caller, type FrontRoute, traceparentOf } from '@baton/platform';
import { type FactRequest, type Reply, tell } from './answered';
import type { Answer } from './domain';
import { readIdempotencyKey } from './idempotency-key';
import { type Intake, SCOPE_OF } from './intake';
import type { PostedKind } from './posted';

export interface FactAsked {
  readonly body: unknown;
  readonly query: unknown;
  readonly request: FactRequest;
  readonly reply: Reply;
}

/** One fact of our own API, from its request to its answer. Throws the `Problem` that it was refused for. */
export async function takeFact(
  intake: Intake,
  kind: PostedKind,
  caller: Caller,
  { body, query, request, reply }: FactAsked,
): Promise<Answer> {
  const { validateOnly, posted } = readValidateOnly(body, query);
  const told = await intake.take(
    caller,
    { kind, body: posted },
    {
      door: 'api',
      traceparent: traceparentOf(request.headers),
      validateOnly,
      idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
    },
  );
  tell(request, reply, [told]);
  if (told.kind === 'rejected') throw told.problem;
  // A repeat gets the first answer to the letter; only the status and the headers say that it is one.
  if (told.kind !== 'accepted') reply.code(200);
  return told.answer;
}

/** `validate_only` may stand in the query or in the body; it is no part of the fact. */
export function readValidateOnly(body: unknown, query: unknown): { readonly validateOnly: boolean; readonly posted: unknown } {
  const asked = (query as { validate_only?: unknown } | null)?.validate_only;
  const byQuery = asked === 'true' || asked === '1' || asked === '';
  if (typeof body !== 'object' || body === null || !('validate_only' in body) || typeof body.validate_only !== 'boolean')
    return { validateOnly: byQuery, posted: body };
  const { validate_only: byBody, ...posted } = body;
  return { validateOnly: byQuery || byBody === true, posted };
}

const KIND_OF: Readonly<Record<string, PostedKind>> = {
  '/v1/conversions': 'conversion',
  '/v1/reversals': 'reversal',
  '/v1/identities': 'identity',
  '/v1/verifications': 'verification',
};

/** The controller's routes once more, for plain requests: what is asked most is answered without the framework. */
export const frontRoutes = (intake: Intake): FrontRoute[] =>
  Object.entries(KIND_OF).map(([path, kind]) => ({
    path,
    scope: SCOPE_OF[kind],
    handle: (request, reply) => takeFact(intake, kind, request.caller as Caller, { body: request.body, query: null, request, reply }),
  }));
