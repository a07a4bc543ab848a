import { randomFillSync } from 'node:crypto';

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
  return `00-${randomHex(TRACE_BYTES)}-${randomHex(SPAN_BYTES)}-01`;
}

const TRACE_BYTES = 16;
const SPAN_BYTES = 8;
/** Drawn at once: asking for a few bytes costs as much as asking for many. Ids of traces are no secrets. */
const drawn = Buffer.allocUnsafe(256 * (TRACE_BYTES + SPAN_BYTES));
let used = drawn.length;

function randomHex(bytes: number): string {
  if (used + bytes > drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += bytes;
  return drawn.toString('hex', used - bytes, used);
}
