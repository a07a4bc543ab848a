import type { ClickIdKeys } from '@baton/contracts';
import { type Caller, Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import type { ConversionBody, IdentityBody, ReversalBody } from './bodies';
import {
  type Claim,
  claimConversion,
  claimIdentity,
  claimReversal,
  type Reception,
  type Refusal,
  type Unreadable,
  unstorableIn,
} from './domain';
import { emailHash } from './email-hash';
import type { Groups } from './groups';
import type { Outcome, Pending } from './settle';

export interface IntakeParts {
  readonly groups: Groups<Pending, Outcome>;
  readonly clickIdKeys: ClickIdKeys;
  readonly emailHashKey: string;
}

export type Accepted = Outcome & { kind: 'accepted' | 'duplicate' };

/** Body -> claim -> group. Every refusal comes out as a `Problem` with its reason code. */
export class Intake {
  constructor(private readonly parts: IntakeParts) {}

  conversion(caller: Caller, body: ConversionBody, traceparent: string): Promise<Accepted> {
    const { email, ...asked } = storable(body);
    return this.submit(claimConversion({ ...asked, emailHash: this.hashed(caller, email) }, this.reception(caller)), traceparent);
  }

  reversal(caller: Caller, body: ReversalBody, traceparent: string): Promise<Accepted> {
    return this.submit(claimReversal(storable(body), this.reception(caller)), traceparent);
  }

  identity(caller: Caller, body: IdentityBody, traceparent: string): Promise<Accepted> {
    const { email, ...asked } = storable(body);
    return this.submit(claimIdentity({ ...asked, emailHash: this.hashed(caller, email) }, this.reception(caller)), traceparent);
  }

  private hashed(caller: Caller, email: string | null | undefined): string | null {
    return emailHash(this.parts.emailHashKey, caller.tenantId, email);
  }

  private reception(caller: Caller): Reception {
    return {
      tenantId: caller.tenantId,
      test: caller.test,
      keyProgramId: caller.programId ?? null,
      receiptId: randomUUID(),
      receivedAtMs: Date.now(),
      clickIdKeys: this.parts.clickIdKeys,
    };
  }

  private async submit(claim: Claim | Unreadable, traceparent: string): Promise<Accepted> {
    if (claim.kind === 'unreadable') throw problemOf(claim.refusal);
    const outcome = await this.parts.groups.submit(claim.tenantId, { claim, traceparent });
    if (outcome.kind === 'refused') throw problemOf(outcome.refusal);
    if (outcome.kind === 'conflict') throw conflict(outcome.receiptId);
    return outcome as Accepted;
  }
}

function storable<T extends object>(body: T): T {
  const where = unstorableIn(body);
  if (where !== null)
    throw new Problem('malformed', `${where} holds a character that cannot be stored (NUL, or half of a surrogate pair).`, {
      errors: [{ field: where, problem: 'a character that cannot be stored' }],
    });
  return body;
}

const problemOf = ({ code, detail, field }: Refusal): Problem => {
  const problem = new Problem(code, detail);
  return field === undefined ? problem : new Problem(code, detail, { errors: [{ field, problem: problem.detail }] });
};

const conflict = (receiptId: string): Problem =>
  new Problem('conflict', undefined, { headers: { 'Baton-Receipt': receiptId }, extra: { receipt_id: receiptId } });
