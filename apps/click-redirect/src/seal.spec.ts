import { createHmac } from 'node:crypto';
import { mintClickId, parseAddress, parseClickIdKeys, verifyClickId } from '@baton/contracts';
import { KeyedSeal } from './seal';

const keys = parseClickIdKeys(`3:${'ab'.repeat(32)},1:${'cd'.repeat(32)}`);
const tenant = '11111111-1111-4111-8111-111111111111';
const other = '99999999-9999-4999-8999-999999999999';
const seal = new KeyedSeal(keys, Buffer.alloc(32, 5));

describe('what needs a secret', () => {
  it('mints ids that differ within one millisecond, signed with the first key', () => {
    const ids = Array.from({ length: 20_000 }, () => seal.mint(tenant, 7, 1_800_000_000_000));
    expect(new Set(ids).size).toBe(ids.length);
    expect(verifyClickId(keys.keys, tenant, ids[0]!)).toMatchObject({
      kind: 'valid',
      id: { keyId: 3, linkNumber: 7, occurredAtMs: 1_800_000_000_000 },
    });
    expect(verifyClickId(keys.keys, other, ids[0]!)).toEqual({ kind: 'forged', why: 'tag' });
  });

  it('hashes an address the same in either clothes, and for each tenant otherwise', () => {
    const hash = (tenantId: string, ip: string) => seal.addressHash(tenantId, parseAddress(ip)!);
    expect(hash(tenant, '203.0.113.9')).toMatch(/^[0-9a-f]{32}$/);
    expect(hash(tenant, '::ffff:203.0.113.9')).toBe(hash(tenant, '203.0.113.9'));
    expect(hash(other, '203.0.113.9')).not.toBe(hash(tenant, '203.0.113.9'));
    expect(new KeyedSeal(keys, Buffer.alloc(32, 6)).addressHash(tenant, parseAddress('203.0.113.9')!)).not.toBe(
      hash(tenant, '203.0.113.9'),
    );
  });

  it('signs and hashes by HMAC-SHA256 as the runtime has it', () => {
    const key = Buffer.from('0123456789abcdef'.repeat(4), 'hex');
    const another = new KeyedSeal(keys, key);
    for (const ip of ['203.0.113.9', '2001:db8::1', '0.0.0.0']) {
      const address = parseAddress(ip)!;
      const expected = createHmac('sha256', key).update(tenant).update(Uint8Array.from(address)).digest('hex').slice(0, 32);
      expect(another.addressHash(tenant, address)).toBe(expected);
    }
    for (const tenantId of [tenant, other, tenant]) {
      const id = another.mint(tenantId, 2 ** 40 - 1, 1_800_000_000_123);
      const nonce = Buffer.from(id, 'base64url').readUInt32BE(12);
      expect(id).toBe(mintClickId(keys.keys, tenantId, { keyId: 3, linkNumber: 2 ** 40 - 1, occurredAtMs: 1_800_000_000_123, nonce }));
    }
  });
});
