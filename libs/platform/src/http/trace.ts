import { randomBytes } from 'node:crypto';

const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's W3C trace. */
export function givenTraceparent(headers: Record<string, string | string[] | undefined>): string | undefined {
  const given = headers['traceparent'];
  return typeof given === 'string' && TRACEPARENT.test(given) ? given : undefined;
}

/** The caller's W3C trace, or a new one, so that every event of a request can be followed through the topics. */
export function traceparentOf(headers: Record<string, string | string[] | undefined>): string {
  const given = givenTraceparent(headers);
  if (given !== undefined) return given;
  return `00-${randomBytes(16).toString('hex')}-${randomBytes(8).toString('hex')}-01`;
}
