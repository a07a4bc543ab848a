import type { RateLimit } from '@baton/contracts';

/** A token bucket: full at `requests`, and `requests` come back evenly in each window. */
export interface Bucket {
  readonly tokens: number;
  readonly atMs: number;
}

export const fullBucket = ({ requests }: RateLimit, nowMs: number): Bucket => ({ tokens: requests, atMs: nowMs });

/** With what came back since. A clock that was set back gives nothing. */
export function refilled({ tokens, atMs }: Bucket, { requests, windowSeconds }: RateLimit, nowMs: number): Bucket {
  const back = (Math.max(nowMs - atMs, 0) * requests) / (windowSeconds * 1_000);
  return { tokens: Math.min(tokens + back, requests), atMs: nowMs };
}

/** Seconds until so many are there; a request for more than the bucket holds waits until it is full. */
export function secondsUntil(items: number, tokens: number, { requests, windowSeconds }: RateLimit): number {
  const missing = Math.min(items, requests) - tokens;
  return missing <= 0 ? 0 : Math.ceil((missing * windowSeconds) / requests);
}
