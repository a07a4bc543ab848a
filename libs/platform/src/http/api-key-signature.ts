import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Problem } from './problem';

/** How far `webhook-timestamp` may lie from now, either way. */
export const SIGNATURE_TOLERANCE_S = 300;
/** Several signatures are sent while a secret rotates; nobody has more. */
const SIGNATURES_MAX = 10;
const ID = /^[\x21-\x7e]{1,256}$/;
const TIMESTAMP = /^\d{1,12}$/;

type Headers = Readonly<Record<string, string | string[] | undefined>>;

export interface SignedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  /** To the letter as it came. */
  readonly body: Buffer;
}

/** Digests of a signed request: which id it came under, and what it was. */
export interface SignedId {
  readonly idHash: string;
  readonly bodyHash: string;
}

/**
 * The signing secret of a key, `whsec_<base64 of 32 bytes>`: derived from the platform's root wherever it is needed, so that it is kept and sent
 * nowhere.
 */
export const signingSecretOf = (root: string, keyId: string): string =>
  `whsec_${createHmac('sha256', root).update(`postback:${keyId}`).digest('base64')}`;

/** `v1,<base64>` over `id.timestamp.body`, as Standard Webhooks has it (github.com/standard-webhooks/standard-webhooks). */
export const signatureOf = (secret: string, id: string, timestamp: string, body: Buffer): string =>
  `v1,${createHmac('sha256', Buffer.from(secret.slice('whsec_'.length), 'base64'))
    .update(`${id}.${timestamp}.`)
    .update(body)
    .digest('base64')}`;

/** Throws the `Problem` of a request that is unsigned, wrongly signed, or signed too long ago or ahead. */
export function checkSignature(secret: string, { method, url, headers, body }: SignedRequest, nowMs: number): SignedId {
  const [id, timestamp, given] = ['webhook-id', 'webhook-timestamp', 'webhook-signature'].map((name) => headers[name]);
  const missing = Object.entries({ 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': given }).flatMap(
    ([name, value]) => (typeof value === 'string' && value !== '' ? [] : [name]),
  );
  if (missing.length > 0) throw invalid(`This key works for signed requests alone. Missing: ${missing.join(', ')}.`);
  if (!ID.test(id as string)) throw invalid('webhook-id must be 1 to 256 visible ASCII characters.');
  if (!TIMESTAMP.test(timestamp as string)) throw invalid('webhook-timestamp must be whole seconds since 1970.');
  const expected = Buffer.from(signatureOf(secret, id as string, timestamp as string, body));
  const signatures = (given as string).split(' ').slice(0, SIGNATURES_MAX);
  if (!signatures.some((signature) => equal(Buffer.from(signature), expected)))
    throw invalid(
      'No signature in webhook-signature is that of id.timestamp.body under this key’s signing secret. Sign the bytes that you send.',
    );
  const ageS = Math.round(nowMs / 1000) - Number(timestamp);
  if (Math.abs(ageS) > SIGNATURE_TOLERANCE_S)
    throw new Problem(
      'signature_expired',
      `webhook-timestamp lies ${Math.abs(ageS)} s ${ageS > 0 ? 'back' : 'ahead'}; at most 300 s are accepted.`,
    );
  // The scheme signs no address: under one id a request cannot be sent to another one either.
  return { idHash: digest(id as string), bodyHash: digest(`${method} ${url}\n`, body) };
}

/** Lengths are no secret: they are those of the scheme. */
const equal = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);
const invalid = (detail: string): Problem => new Problem('signature_invalid', detail);

function digest(...parts: (string | Buffer)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('base64url');
}
