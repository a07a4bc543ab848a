import { createHash, createHmac, randomBytes } from 'node:crypto';
import { mintClickId, type parseClickIdKeys } from '@baton/contracts';
import type { Address } from './domain/address';

/** What needs a secret: click ids, and hashes that nobody else can compute. */
export interface Seal {
  mint(tenantId: string, linkNumber: number, atMs: number): string;
  /** 32 hex digits. Per tenant: no tenant can tell that its visitor is also another's. */
  addressHash(tenantId: string, address: Address): string;
  /** 32 hex digits. */
  userAgentHash(userAgent: string): string;
}

const HASH_HEX_DIGITS = 32;

export class KeyedSeal implements Seal {
  // Counting from a random start, ids of one process differ for certain and those of two processes almost so, in the same millisecond too.
  private nonce = randomBytes(4).readUInt32BE();

  constructor(
    private readonly clickIdKeys: ReturnType<typeof parseClickIdKeys>,
    private readonly addressHashKey: Buffer,
  ) {}

  mint(tenantId: string, linkNumber: number, atMs: number): string {
    this.nonce = (this.nonce + 1) >>> 0;
    const { keys, signingKeyId } = this.clickIdKeys;
    return mintClickId(keys, tenantId, { keyId: signingKeyId, linkNumber, occurredAtMs: atMs, nonce: this.nonce });
  }

  addressHash(tenantId: string, address: Address): string {
    return createHmac('sha256', this.addressHashKey)
      .update(tenantId, 'ascii')
      .update(Uint8Array.from(address))
      .digest('hex')
      .slice(0, HASH_HEX_DIGITS);
  }

  userAgentHash(userAgent: string): string {
    return createHash('sha256').update(userAgent).digest('hex').slice(0, HASH_HEX_DIGITS);
  }
}
