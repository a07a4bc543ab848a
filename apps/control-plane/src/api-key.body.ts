import {
  ADDRESSES_OF_KEY_MAX,
  Flag,
  Instant,
  Nested,
  NETWORK_TEXT_MAX,
  Optional,
  parseNetworks,
  Pattern,
  type RateLimit,
  SCOPES,
  SCOPES_OF_KEY_MAX,
  type Scope,
  Text,
  TextList,
  Uuid,
  Whole,
} from '@baton/contracts';
import { type FieldProblem, Problem } from '@baton/platform';
import type { Caller } from './caller';
import { CreateBody, EntityAnswer, malformed } from './edge';

export class RateLimitBody {
  @Whole(1, 1_000_000) requests!: number;
  @Whole(1, 86_400) window_seconds!: number;
}

export class ApiKeyBody extends CreateBody {
  @Text(200) name!: string;
  @TextList(SCOPES_OF_KEY_MAX, 64) scopes!: Scope[];
  /** Conversions of a test key do everything and never reach money. */
  @Optional() @Flag() test?: boolean;
  @Optional() @Instant() expires_at?: string;
  /** The program of conversions that name none. */
  @Optional() @Uuid() program_id?: string;
  /** Left out: what conversion-ingest grants every key. */
  @Optional() @Nested(() => RateLimitBody) rate_limit?: RateLimitBody;
  /** Networks (CIDR) or addresses that the key works from. Left out: anywhere. */
  @Optional() @TextList(ADDRESSES_OF_KEY_MAX, NETWORK_TEXT_MAX) allowed_addresses?: string[];
  /** Requests must be signed (Standard Webhooks). */
  @Optional() @Flag() signed?: boolean;
}

/** Seconds in a day, and in 30 days. */
export const OVERLAP_DEFAULT_S = 86_400;
const OVERLAP_MAX_S = 30 * 86_400;

export class RotateBody extends CreateBody {
  /** How long the key that is replaced goes on working; 0: it ends at once. */
  @Optional() @Whole(0, OVERLAP_MAX_S) overlap_seconds?: number;
  /** Of the new key. Left out: it does not expire. */
  @Optional() @Instant() expires_at?: string;
}

export class ApiKeyAnswer extends EntityAnswer {
  @Text(200) name!: string;
  @Pattern(/^[0-9a-f]{8}$/) short_id!: string;
  @TextList(SCOPES_OF_KEY_MAX, 64) scopes!: Scope[];
  @Flag() test!: boolean;
  @Optional() @Instant() expires_at!: string | null;
  @Optional() @Uuid() program_id!: string | null;
  @Optional() @Nested(() => RateLimitBody) rate_limit!: RateLimitBody | null;
  @Optional() @TextList(ADDRESSES_OF_KEY_MAX, NETWORK_TEXT_MAX) allowed_addresses!: string[] | null;
  @Flag() signed!: boolean;
}

export class NewApiKeyAnswer extends ApiKeyAnswer {
  /** Shown once, in the answer that made it; null when the same request is repeated, since nobody keeps it. */
  @Optional() @Text(200) key!: string | null;
  /** Of a signed key, `whsec_…`; shown once, likewise. */
  @Optional() @Text(200) signing_secret!: string | null;
}

export class RotatedApiKeyAnswer extends NewApiKeyAnswer {
  /** The key that this one replaces, and until when it works. */
  @Uuid() replaces!: string;
  @Instant() replaced_expires_at!: string;
}

/** What conversion-ingest reads with a signature. Elsewhere signatures are not read, so such a key could do nothing there. */
const SIGNED_SCOPES: readonly Scope[] = ['conversions:write', 'reversals:write', 'identities:write', 'receipts:read'];

/** The limits of a new key as they are published; throws with every problem. */
export function checkedLimits(
  body: ApiKeyBody,
  { now, canSign }: { readonly now: string; readonly canSign: boolean },
): { readonly rateLimit: RateLimit | null; readonly allowedAddresses: string[] | null; readonly signed: boolean } {
  const problems: FieldProblem[] = [...problemsOfAddresses(body.allowed_addresses)];
  if (body.expires_at && body.expires_at <= now) problems.push({ field: 'expires_at', problem: `is over; it is ${now} now` });
  if (body.signed && !canSign)
    problems.push({ field: 'signed', problem: 'is not possible on this platform: its operator has not set POSTBACK_SIGNING_ROOT' });
  const unread = body.signed ? body.scopes.filter((scope) => !SIGNED_SCOPES.includes(scope)) : [];
  if (unread.length > 0)
    problems.push({
      field: 'scopes',
      problem: `names ${unread.join(', ')}, where signatures are not read; a signed key has ${SIGNED_SCOPES.join(', ')}`,
    });
  if (problems.length > 0) throw malformed(problems);
  return {
    rateLimit: body.rate_limit ? { requests: body.rate_limit.requests, windowSeconds: body.rate_limit.window_seconds } : null,
    allowedAddresses: body.allowed_addresses ? [...new Set(body.allowed_addresses)] : null,
    signed: body.signed ?? false,
  };
}

function problemsOfAddresses(texts: readonly string[] | null | undefined): FieldProblem[] {
  if (!texts) return [];
  if (texts.length === 0)
    return [{ field: 'allowed_addresses', problem: 'names none: such a key would work from nowhere. Leave it out for anywhere' }];
  return texts.flatMap((text, i) => {
    try {
      if (!text.includes(',') && parseNetworks(text).length === 1) return [];
    } catch {
      // named below
    }
    return [
      {
        field: `allowed_addresses[${i}]`,
        problem: `"${text}" is no address and no network: write 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32`,
      },
    ];
  });
}

/** A key makes no key that can do more than itself. */
export function mayGive(caller: Caller, scopes: readonly Scope[], test: boolean): void {
  const unknown = scopes.filter((scope) => !SCOPES.includes(scope));
  if (unknown.length > 0) throw malformed([{ field: 'scopes', problem: `names ${unknown.join(', ')}; there are ${SCOPES.join(', ')}` }]);
  if (scopes.length === 0) throw malformed([{ field: 'scopes', problem: 'names none: such a key could do nothing' }]);
  if (caller.kind === 'operator') return;
  const lacking = scopes.filter((scope) => !caller.scopes.includes(scope));
  if (lacking.length > 0) throw new Problem('scope_missing', `This key lacks ${lacking.join(', ')} itself, so it cannot give it.`);
  if (caller.test && !test) throw new Problem('scope_missing', 'A test key can make test keys only.');
}
