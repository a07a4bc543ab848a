const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BUCKET_LENGTH = 4;

/**
 * Four base64url characters from what is known of a visitor without a cookie. A new visitor id begins with them, and a split between
 * destinations goes by them alone: so the visitor who comes back with the cookie, and one whose browser keeps none, both get what they got first.
 */
export function bucketOf(addressHash: string | null, userAgentHash: string | null): string {
  let bucket = '';
  for (let i = 0; i < 2 * BUCKET_LENGTH; i += 2) bucket += ALPHABET[(byteAt(addressHash, i) ^ byteAt(userAgentHash, i)) & 63] as string;
  return bucket;
}

/** What decides for a visitor among weights. */
export const visitorKeyOf = (visitorId: string): string => visitorId.slice(0, BUCKET_LENGTH);

/** Two hex digits. */
const byteAt = (hash: string | null, at: number): number =>
  hash === null || hash.length < at + 2 ? 0 : (digit(hash.charCodeAt(at)) << 4) | digit(hash.charCodeAt(at + 1));
const digit = (code: number): number => (code < 58 ? code - 48 : code - 87);
