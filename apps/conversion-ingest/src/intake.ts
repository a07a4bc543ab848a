import { type ClickIdKeys, REASON_CODES, type ReasonCode, type Scope } from '@baton/contracts';
import { type Caller, Problem, problemOf } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import {
  type Answer,
  type Claim,
  claimConversion,
  claimIdentity,
  claimReversal,
  claimTouch,
  claimVerification,
  type Reception,
  type Refusal,
  type ReversalAsked,
  type Unreadable,
  unstorableIn,
} from './domain';
import { emailHash } from './email-hash';
import type { Groups } from './groups';
import { type Posted, type PostedKind, type Read, readPosted } from './posted';
import type { Outcome, Pending } from './settle';

export interface IntakeParts {
  readonly groups: Groups<Pending, Outcome>;
  readonly clickIdKeys: ClickIdKeys;
  readonly emailHashKey: string;
}

/** How a fact came to us. */
export interface Manner {
  /** Name of the door: `api` is our own. */
  readonly door: string;
  readonly traceparent: string;
  /** Runs everything and stores nothing. */
  readonly validateOnly?: boolean;
  readonly idempotencyKey?: string | null;
  /** Equal ids and money make a repeat, however else it was said. */
  readonly isLoose?: boolean;
}

/** What became of a fact. A refusal names its receipt too, where it could be stored. */
export type Told =
  | { readonly kind: 'accepted' | 'duplicate' | 'validated'; readonly receiptId: string; readonly answer: Answer }
  | { readonly kind: 'rejected'; readonly receiptId: string | null; readonly problem: Problem };

type Rejected = Extract<Told, { kind: 'rejected' }>;

export const reasonOf = (told: Told): ReasonCode => (told.kind === 'rejected' ? told.problem.code : told.kind);

/** What a key must be allowed to do for each kind of fact, whatever the route that brings it. */
export const SCOPE_OF: Readonly<Record<PostedKind, Scope>> = {
  conversion: 'conversions:write',
  reversal: 'reversals:write',
  identity: 'identities:write',
  verification: 'conversions:write',
  touch: 'conversions:write',
};

/** The one way in, whatever the door: body -> claim -> group -> verdict. Never throws: what went wrong is a verdict too. */
export class Intake {
  constructor(private readonly parts: IntakeParts) {}

  /** In the order in which they were posted; a bad one never fails its neighbours. */
  takeAll(caller: Caller, posted: readonly Posted[], manner: Manner): Promise<Told[]> {
    return Promise.all(posted.map((one) => this.take(caller, one, manner)));
  }

  /** A request of which no fact could be read at all: it has a receipt like any refusal. */
  async unread(caller: Caller, kind: PostedKind, problem: Problem, manner: Manner): Promise<Problem> {
    return (await this.refuse({ kind, body: null }, this.reception(caller, manner), problem, manner)).problem;
  }

  async take(caller: Caller, posted: Posted, manner: Manner): Promise<Told> {
    // Before anything is read: under overload a refusal must be cheap.
    const full = this.parts.groups.refusal(caller.tenantId);
    if (full) return { kind: 'rejected', receiptId: null, problem: full };
    const reception = this.reception(caller, manner, posted.test);
    try {
      const scope = SCOPE_OF[posted.kind];
      if (!caller.scopes.includes(scope)) return await this.refuse(posted, reception, scopeMissing(posted.kind, scope), manner);
      const read = readPosted(posted);
      if (read instanceof Problem) return await this.refuse(posted, reception, read, manner);
      const claim = read.kind === 'touch' ? claimTouch(read.body, reception) : this.claim(caller, read, reception);
      if (claim.kind === 'unreadable') return await this.refuse(posted, reception, refused(claim.refusal), manner);
      if (claim.kind === 'touch') return told(await this.submit({ touch: claim, traceparent: manner.traceparent }), '');
      const validateOnly = manner.validateOnly === true || (claim.kind === 'reversals' && claim.dryRun);
      return told(await this.submit({ claim, ...manner, validateOnly }), claim.receiptId);
    } catch (error) {
      return { kind: 'rejected', receiptId: null, problem: problemOf(error) };
    }
  }

  private claim(caller: Caller, { kind, body }: Exclude<Read, { kind: 'touch' }>, reception: Reception): Claim | Unreadable {
    if (kind === 'verification') return claimVerification(body, reception);
    const { email, ...asked } = body;
    const named = { ...asked, emailHash: emailHash(this.parts.emailHashKey, caller.tenantId, email) };
    if (kind === 'reversal') return claimReversal(named as ReversalAsked, reception);
    return kind === 'identity' ? claimIdentity(named, reception) : claimConversion(named as never, reception);
  }

  private submit(pending: Pending): Promise<Outcome> {
    const { tenantId } = 'claim' in pending ? pending.claim : 'touch' in pending ? pending.touch : pending.rejection;
    return this.parts.groups.submit(tenantId, pending);
  }

  /** What nobody can read has a receipt too, so that its sender can be told later what was wrong. */
  private async refuse(posted: Posted, reception: Reception, problem: Problem, { validateOnly }: Manner): Promise<Rejected> {
    if (validateOnly) return withReceipt(problem, null);
    const { kind, body } = posted;
    const { tenantId, receiptId, receivedAtMs, door } = reception;
    const rejection = {
      tenantId,
      receiptId,
      kind,
      door,
      externalId: externalIdIn(body),
      receivedAtMs,
      problem,
    };
    const outcome = await this.submit({ rejection }).catch((): Outcome => ({
      kind: 'refused',
      refusal: { code: problem.code },
      receiptId: null,
    }));
    return withReceipt(problem, outcome.kind === 'refused' ? outcome.receiptId : receiptId);
  }

  private reception(caller: Caller, { door }: Manner, test = false): Reception {
    return {
      tenantId: caller.tenantId,
      test: caller.test || test,
      keyProgramId: caller.programId ?? null,
      receiptId: randomUUID(),
      receivedAtMs: Date.now(),
      clickIdKeys: this.parts.clickIdKeys,
      door,
    };
  }
}

function told(outcome: Outcome, receiptId: string): Told {
  if (outcome.kind === 'refused') return withReceipt(refused(outcome.refusal), outcome.receiptId);
  if (outcome.kind === 'conflict') return withReceipt(new Problem('conflict'), outcome.receiptId);
  if (outcome.kind === 'validated') return { kind: 'validated', receiptId, answer: outcome.answer };
  return { kind: outcome.kind, receiptId: outcome.receiptId, answer: outcome.answer };
}

function withReceipt(problem: Problem, receiptId: string | null): Rejected {
  if (receiptId === null) return { kind: 'rejected', receiptId, problem };
  const { headers, extra, ...more } = problem.more;
  const named = new Problem(problem.code, problem.detail, {
    ...more,
    headers: { ...headers, 'Baton-Receipt': receiptId },
    extra: { ...extra, receipt_id: receiptId },
  });
  return { kind: 'rejected', receiptId, problem: named };
}

const scopeMissing = (kind: PostedKind, scope: Scope): Problem =>
  new Problem('scope_missing', `This brings ${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}, which needs the scope ${scope}.`);

const refused = ({ code, detail = REASON_CODES[code].help, field, extra = {} }: Refusal): Problem =>
  new Problem(code, detail, { extra, ...(field === undefined ? {} : { errors: [{ field, problem: detail }] }) });

function externalIdIn(body: unknown): string | null {
  const id = (body as { external_id?: unknown } | null)?.external_id;
  return typeof id === 'string' && id.length <= 255 && unstorableIn(id) === null ? id : null;
}
