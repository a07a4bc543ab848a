// Clicks as click-redirect sends them: signed ids, most of them of visitors who come for the first time.
import { createHash, randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { CLICK_ID_KEYS } from './ingest-catalog.mjs';
import { randomOf } from './random.mjs';

const { ClickRecorded, emit, encode, mintClickId, parseClickIdKeys } = createRequire(import.meta.url)('@baton/contracts');

const TENANTS = 5;
const LINKS = 200;
const ADDRESSES = 65_536;
/** One click in ten is of a visitor who has clicked before: one of the last 50,000, but not of the last 10,000, who were here a second ago. */
const RETURNING = 0.1;
const REMEMBERED = 50_000;
const GONE = 10_000;
const { keys } = parseClickIdKeys(CLICK_ID_KEYS);
const uuid = (kind, i) => `${kind}0000000-0000-4000-8000-${i.toString(16).padStart(12, '0')}`;
const hashOf = (i) => createHash('sha256').update(`address ${i}`).digest('hex');

/** Gives `next()`: one message after the other, no id twice, the same visitors and addresses for the same seed. */
export function clickMessages(seed) {
  const random = randomOf(seed);
  const visitors = [];
  const salt = randomBytes(3).readUIntBE(0, 3);
  let count = 0;
  let made = 0;
  const visitorOf = () => {
    const known = Math.min(made, REMEMBERED) - GONE;
    if (known > 0 && random() < RETURNING) return visitors[(made - GONE - 1 - Math.floor(random() * known)) % REMEMBERED];
    const visitor = {
      tenant: Math.floor(random() * TENANTS),
      id: `v${salt.toString(36)}${(made + 2 ** 32).toString(36)}`.padEnd(22, '0'),
    };
    visitors[made++ % REMEMBERED] = visitor;
    return visitor;
  };
  return () => {
    const { tenant, id: visitorId } = visitorOf();
    const [tenantId, linkNumber, address] = [uuid(1, tenant), 1 + Math.floor(random() * LINKS), Math.floor(random() * ADDRESSES)];
    const occurredAtMs = Date.now() - Math.floor(random() * 60_000);
    const clickId = mintClickId(keys, tenantId, { keyId: 1, linkNumber, occurredAtMs, nonce: (salt * 2 ** 8 + ++count) % 2 ** 32 });
    return encode(
      emit(ClickRecorded, {
        ...ClickRecorded.sample,
        tenantId,
        clickId,
        linkNumber,
        linkId: uuid(4, linkNumber),
        occurredAt: new Date(occurredAtMs).toISOString(),
        visitorId,
        addressHash: hashOf(address),
        network: `10.${address >> 8}.${address & 255}.0/24`,
      }),
    );
  };
}
