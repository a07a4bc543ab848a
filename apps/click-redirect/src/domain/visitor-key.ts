const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const BUCKET_LENGTH = 4;

/**
 * Four base64url characters from what is known of a visitor without a cookie. A new visitor id begins with them, and a split between
 * destinations goes by them alone: so the visitor who comes back with the cookie, and one whose browser keeps none, both get what they got first.
 */
export function bucketOf(addressHash: string | null, userAgentHash: string | null): string {
  const bits = head(addressHash) ^ head(userAgentHash);
  return (
    (ALPHABET[bits & 63] as string) +
    (ALPHABET[(bits >>> 6) & 63] as string) +
    (ALPHABET[(bits >>> 12) & 63] as string) +
    (ALPHABET[(bits >>> 18) & 63] as string)
  );
}

/** What decides for a visitor among weights. */
export const visitorKeyOf = (visitorId: string): string => visitorId.slice(0, BUCKET_LENGTH);

const head = (hash: string | null): number => (hash === null ? 0 : parseInt(hash.slice(0, 6), 16));
