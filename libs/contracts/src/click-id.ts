import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * A click id: 24 bytes as 32 base64url characters, case-sensitive.
 * Layout: format (high nibble) and key id (low nibble) 1, link number 5, milliseconds since 1970 6, nonce 4,
 * tag 8 = first 8 bytes of HMAC-SHA256(key, tenant id (36 ASCII characters) + the first 16 bytes).
 */
export interface ClickId {
  /** 0 to 15: which key signed. */
  readonly keyId: number;
  /** Positive, below 2^40. Never used for a second link. */
  readonly linkNumber: number;
  readonly occurredAtMs: number;
  readonly nonce: number;
}

/** Key id (0 to 15) to 32 secret bytes. */
export type ClickIdKeys = ReadonlyMap<number, Uint8Array>;
export type ClickIdCheck =
  { readonly kind: 'valid'; readonly id: ClickId } | { readonly kind: 'forged'; readonly why: 'shape' | 'format' | 'unknown_key' | 'tag' };

const FORMAT = 1;
const KEY_ID_MAX = 15;
const SHAPE = /^[A-Za-z0-9_-]{32}$/;
const LINK_NUMBER_MAX = 2 ** 40 - 1;
const MS_MAX = 2 ** 48 - 1;

export function mintClickId(keys: ClickIdKeys, tenantId: string, id: ClickId): string {
  if (!isWhole(id.keyId, 0, KEY_ID_MAX)) throw new RangeError(`key id ${id.keyId} is outside 0 to ${KEY_ID_MAX}`);
  const key = keys.get(id.keyId);
  if (!key) throw new RangeError(`no key ${id.keyId} to sign click ids with`);
  if (!isWhole(id.linkNumber, 1, LINK_NUMBER_MAX)) throw new RangeError(`link number ${id.linkNumber} is outside 1 to 2^40-1`);
  if (!isWhole(id.occurredAtMs, 0, MS_MAX)) throw new RangeError(`${id.occurredAtMs} ms is not a time a click id can hold`);
  const bytes = Buffer.allocUnsafe(24);
  bytes[0] = (FORMAT << 4) | id.keyId;
  bytes.writeUIntBE(id.linkNumber, 1, 5);
  bytes.writeUIntBE(id.occurredAtMs, 6, 6);
  bytes.writeUInt32BE(id.nonce >>> 0, 12);
  tagOf(key, tenantId, bytes).copy(bytes, 16, 0, 8);
  return bytes.toString('base64url');
}

/** Checks an id without any look-up. Another tenant's id reads as forged. */
export function verifyClickId(keys: ClickIdKeys, tenantId: string, text: string): ClickIdCheck {
  if (!SHAPE.test(text)) return { kind: 'forged', why: 'shape' };
  const bytes = Buffer.from(text, 'base64url');
  const first = bytes[0] ?? 0;
  if (first >> 4 !== FORMAT) return { kind: 'forged', why: 'format' };
  const key = keys.get(first & 15);
  if (!key) return { kind: 'forged', why: 'unknown_key' };
  if (!timingSafeEqual(tagOf(key, tenantId, bytes).subarray(0, 8), bytes.subarray(16, 24))) return { kind: 'forged', why: 'tag' };
  return { kind: 'valid', id: readClickId(bytes) };
}

/** What an id says about itself, unverified: for partitioning by day and for people. Null when it has not the shape of one. */
export function peekClickId(text: string): ClickId | null {
  if (!SHAPE.test(text)) return null;
  return readClickId(Buffer.from(text, 'base64url'));
}

/** `1:<64 hex>,0:<64 hex>`: the first key signs, the others only verify. Throws with what is wrong. */
export function parseClickIdKeys(text: string): { readonly signingKeyId: number; readonly keys: ClickIdKeys } {
  const keys = new Map<number, Uint8Array>();
  for (const part of text.split(',').map((p) => p.trim())) {
    const match = /^(\d{1,2}):([0-9a-fA-F]{64})$/.exec(part);
    const keyId = Number(match?.[1]);
    if (!match || keyId > KEY_ID_MAX)
      throw new RangeError('CLICK_ID_KEYS must look like "1:<64 hex digits>[,0:<64 hex digits>…]", key ids 0 to 15');
    if (keys.has(keyId)) throw new RangeError(`CLICK_ID_KEYS names key ${keyId} twice`);
    keys.set(keyId, Buffer.from(match[2] as string, 'hex'));
  }
  const [signingKeyId] = keys.keys();
  return { signingKeyId: signingKeyId as number, keys };
}

const isWhole = (value: number, min: number, max: number): boolean => Number.isInteger(value) && value >= min && value <= max;

function readClickId(bytes: Buffer): ClickId {
  return {
    keyId: (bytes[0] as number) & 15,
    linkNumber: bytes.readUIntBE(1, 5),
    occurredAtMs: bytes.readUIntBE(6, 6),
    nonce: bytes.readUInt32BE(12),
  };
}

function tagOf(key: Uint8Array, tenantId: string, bytes: Buffer): Buffer {
  return createHmac('sha256', key).update(tenantId, 'ascii').update(bytes.subarray(0, 16)).digest();
}
