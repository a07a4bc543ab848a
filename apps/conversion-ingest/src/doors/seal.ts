import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const FORMAT = 1;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals texts under AES-256-GCM: `1, nonce, tag, ciphertext`. `about` binds them to their row: moved to another they cannot be opened. */
export function seal(key: Buffer, about: string, texts: readonly string[]): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(about));
  const sealed = Buffer.concat([cipher.update(JSON.stringify(texts), 'utf8'), cipher.final()]);
  return Buffer.concat([Buffer.of(FORMAT), nonce, cipher.getAuthTag(), sealed]);
}

/** Throws where the key is another, the row is another, or a bit was changed. */
export function unseal(key: Buffer, about: string, sealed: Buffer): string[] {
  const text = 1 + NONCE_BYTES + TAG_BYTES;
  if (sealed[0] !== FORMAT || sealed.length < text) throw new Error('these are no sealed secrets of this format');
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(1, 1 + NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(about)).setAuthTag(sealed.subarray(1 + NONCE_BYTES, text));
  return JSON.parse(Buffer.concat([decipher.update(sealed.subarray(text)), decipher.final()]).toString('utf8')) as string[];
}
