import * as crypto from 'node:crypto';
import type { Address, ClickIdKeys, parseClickIdKeys } from '@baton/contracts';

/** What needs a secret: click ids, and hashes that nobody else can compute. */
export interface Seal {
  mint(tenantId: string, linkNumber: number, atMs: number): string;
  /** 32 hex digits. Per tenant: no tenant can tell that its visitor is also another's. */
  addressHash(tenantId: string, address: Address): string;
  /** 32 hex digits. */
  userAgentHash(userAgent: string): string;
  /** A first-party visitor id, 22 base64url characters. The first four follow from the hashes: see `bucketOf`. */
  visitorId(bucket: string): string;
}

const HASH_HEX_DIGITS = 32;
const VISITOR_RANDOM_LENGTH = 18;
const ID_BYTES = 16;
const TAG_BYTES = 8;
const FORMAT = 1;

export class KeyedSeal implements Seal {
  // Counting from a random start, ids of one process differ for certain and those of two processes almost so, in the same millisecond too.
  private nonce = crypto.randomBytes(4).readUInt32BE();
  private readonly idMac: Hmac;
  private readonly addressMac: Hmac;
  private readonly keyId: number;
  private readonly message = Buffer.alloc(36 + ID_BYTES);
  private readonly id = Buffer.alloc(ID_BYTES + TAG_BYTES);
  private readonly address = Buffer.alloc(36 + 16);
  private random = '';
  private readonly tenants = new Map<Buffer, string>();

  constructor({ keys, signingKeyId }: ReturnType<typeof parseClickIdKeys>, addressHashKey: Buffer) {
    this.keyId = signingKeyId;
    this.idMac = new Hmac(keyOf(keys, signingKeyId));
    this.addressMac = new Hmac(addressHashKey);
  }

  /** As `mintClickId` of the contracts, which the tests compare it with, without its allocations. */
  mint(tenantId: string, linkNumber: number, atMs: number): string {
    this.nonce = (this.nonce + 1) >>> 0;
    const { id, message } = this;
    id[0] = (FORMAT << 4) | this.keyId;
    writeWhole(id, linkNumber, 1, 5);
    writeWhole(id, atMs, 6, 6);
    id.writeUInt32BE(this.nonce, 12);
    this.takeTenant(message, tenantId);
    message.set(id.subarray(0, ID_BYTES), 36);
    id.write(this.idMac.digest(message, 'binary'), ID_BYTES, TAG_BYTES, 'latin1');
    return id.toString('base64url');
  }

  addressHash(tenantId: string, address: Address): string {
    this.takeTenant(this.address, tenantId);
    for (let i = 0; i < address.length; i++) this.address[36 + i] = address[i] as number;
    return this.addressMac.digest(this.address.subarray(0, 36 + address.length), 'hex').slice(0, HASH_HEX_DIGITS);
  }

  /** Written once for the visitors of one tenant that come after each other. */
  private takeTenant(into: Buffer, tenantId: string): void {
    if (this.tenants.get(into) === tenantId) return;
    into.write(tenantId, 0, 36, 'latin1');
    this.tenants.set(into, tenantId);
  }

  userAgentHash(userAgent: string): string {
    return crypto.createHash('sha256').update(userAgent).digest('hex').slice(0, HASH_HEX_DIGITS);
  }

  visitorId(bucket: string): string {
    if (this.random.length < VISITOR_RANDOM_LENGTH) this.random = crypto.randomBytes(9_000).toString('base64url');
    const random = this.random.slice(0, VISITOR_RANDOM_LENGTH);
    this.random = this.random.slice(VISITOR_RANDOM_LENGTH);
    return bucket + random;
  }
}

function writeWhole(into: Buffer, whole: number, at: number, bytes: number): void {
  let rest = whole;
  for (let i = at + bytes - 1; i >= at; i--) {
    into[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function keyOf(keys: ClickIdKeys, keyId: number): Uint8Array {
  const key = keys.get(keyId);
  if (!key) throw new RangeError(`no key ${keyId} to sign click ids with`);
  return key;
}

type Text = 'binary' | 'hex';
type HashOnce = (algorithm: string, data: Buffer, encoding: Text) => string;
const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const IPAD = 0x36;
const OPAD = 0x5c;

/**
 * HMAC-SHA256 (RFC 2104) with its two pads made once, by two one-shot hashes: a sixth of the time of an HMAC object per message. Digests pass as
 * text, a byte a character: buffers from the runtime cost twice as much as the hash.
 */
class Hmac {
  private readonly inner = Buffer.alloc(BLOCK_BYTES + 64);
  private readonly outer = Buffer.alloc(BLOCK_BYTES + DIGEST_BYTES);

  constructor(key: Uint8Array) {
    const block = Buffer.alloc(BLOCK_BYTES);
    block.set(key.length > BLOCK_BYTES ? crypto.createHash('sha256').update(key).digest() : key);
    for (let i = 0; i < BLOCK_BYTES; i++) {
      this.inner[i] = (block[i] as number) ^ IPAD;
      this.outer[i] = (block[i] as number) ^ OPAD;
    }
  }

  /** Of at most 64 bytes. */
  digest(message: Buffer, as: Text): string {
    this.inner.set(message, BLOCK_BYTES);
    this.outer.write(sha256(this.inner.subarray(0, BLOCK_BYTES + message.length), 'binary'), BLOCK_BYTES, DIGEST_BYTES, 'latin1');
    return sha256(this.outer, as);
  }
}

const hashOnce = (crypto as unknown as { hash?: HashOnce }).hash;
/** `crypto.hash` came with Node 20.12 and 21.7. */
const sha256 = (data: Buffer, as: Text): string =>
  hashOnce ? hashOnce('sha256', data, as) : crypto.createHash('sha256').update(data).digest(as);
