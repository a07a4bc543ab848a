const PERMANENT = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'INVALID_RECORD',
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'UNKNOWN_TOPIC_OR_PARTITION',
]);
/** What kafkajs throws while it writes a message that is not well-formed. */
const MALFORMED = ['TypeError', 'RangeError'];

/** Why the broker, or the encoding, refuses a message for good; null when the failure is not the message's. */
export function refusalOf(error: unknown): string | null {
  // kafkajs wraps: what happened lies in the chain of causes.
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    const type = (current as { type?: string }).type ?? '';
    if (PERMANENT.has(type)) return `${type}: ${current.message}`;
    if (MALFORMED.includes(current.name)) return `${current.name}: ${current.message}`;
  }
  return null;
}
