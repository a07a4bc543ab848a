import { createHash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const SHAPE = /^bk_(live|test)_([0-9a-f]{8})_([A-Za-z0-9_-]{32})([0-9a-f]{8})$/;

/** A new API key: `bk_live_<short id>_<192 random bits><checksum>`. The text is shown once; only its digest is kept. */
export function mintApiKey(test: boolean): { readonly text: string; readonly digest: string; readonly shortId: string } {
  const shortId = randomBytes(4).toString('hex');
  const head = `bk_${test ? 'test' : 'live'}_${shortId}_${randomBytes(24).toString('base64url')}`;
  const text = head + checksum(head);
  return { text, digest: digestOfApiKey(text), shortId };
}

/** SHA-256, hex. */
export const digestOfApiKey = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Whether a text can be a key at all: a typing error costs no look-up. */
export function looksLikeApiKey(text: string): boolean {
  return SHAPE.test(text) && checksum(text.slice(0, -8)) === text.slice(-8);
}

const checksum = (head: string): string => crc32(head).toString(16).padStart(8, '0');
