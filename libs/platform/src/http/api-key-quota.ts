import type { RateLimit } from '@baton/contracts';
import type { Http } from './http';

/** What a key may still do. */
export interface QuotaState {
  readonly limit: RateLimit;
  readonly remaining: number;
  /** Seconds until all of the limit is there again. */
  readonly resetSeconds: number;
}

export interface Taken {
  readonly granted: boolean;
  /** Null: this key has no limit. */
  readonly state: QuotaState | null;
  /** When refused: seconds until so much is there. */
  readonly retrySeconds: number;
}

/** Whose limit it is; null or absent: the limit that every key is granted. */
export interface LimitedKey {
  readonly keyId: string;
  readonly rateLimit?: RateLimit | null;
}

/** How often a key may call. Never throws and never waits long, whatever its store does. */
export interface Quota {
  take(key: LimitedKey, items: number): Promise<Taken>;
  /** As it stands, without taking anything. */
  state(key: LimitedKey): QuotaState | null;
}

/**
 * `RateLimit-Policy` and `RateLimit` as structured fields (draft-ietf-httpapi-ratelimit-headers: `q` quota, `w` window, `r` remaining, `t` seconds
 * until reset), and the three `RateLimit-*` fields of its first drafts, which most clients read.
 */
export const quotaHeaders = ({ limit, remaining, resetSeconds }: QuotaState): Record<string, string> => ({
  'RateLimit-Policy': `"default";q=${limit.requests};w=${limit.windowSeconds}`,
  RateLimit: `"default";r=${remaining};t=${resetSeconds}`,
  'RateLimit-Limit': String(limit.requests),
  'RateLimit-Remaining': String(remaining),
  'RateLimit-Reset': String(resetSeconds),
});

/** Puts the headers on every answer to a request that `Admission` knew, refusals and routes outside of controllers too. */
export function sayQuota(http: Http): void {
  http
    .getHttpAdapter()
    .getInstance()
    .addHook('onSend', (request, reply, payload, done) => {
      const { quota } = request as { quota?: QuotaState | null };
      if (quota) void reply.headers(quotaHeaders(quota));
      done(null, payload);
    });
}
