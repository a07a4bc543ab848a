// Advertisers for the bench: of each a program, partners, links and a key, published as control-plane does, and click ids as click-redirect signs them.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { randomOf } from './random.mjs';

const require = createRequire(import.meta.url);
const {
  ApiKeyChanged,
  emit,
  encode,
  LinkChanged,
  mintClickId,
  parseClickIdKeys,
  PartnerChanged,
  ProgramChanged,
} = require('@baton/contracts');
const { mintApiKey } = require('@baton/platform');

export const CLICK_ID_KEYS = `1:${'ab'.repeat(32)}`;
const LINKS = 200;
const CLICKS = 1_000;
const SCOPES = ['conversions:write', 'reversals:write', 'identities:write', 'receipts:read'];

/** Gives `{ tenantId, key, clicks }` of each, once all of it is in the topics. `send(topic, messages)` keeps the order. */
export async function publishAccounts({ count, send }) {
  const accounts = Array.from({ length: count }, (_, i) => accountOf(i));
  for (const { events } of accounts) for (const event of events) await send(event.contract.topic, [encode(event)]);
  return accounts.map(({ tenantId, key, clicks }) => ({ tenantId, key, clicks }));
}

/** Links, programs and partners: as many as `publishAccounts` makes for so many accounts. */
export const entitiesOf = (count) => count * (LINKS + 2);

function accountOf(number) {
  const random = randomOf(number + 1);
  const [tenantId, programId, partnerId] = [randomUUID(), randomUUID(), randomUUID()];
  const { text, digest } = mintApiKey(false);
  const linkNumber = (i) => number * LINKS + i + 1;
  const links = Array.from({ length: LINKS }, (_, i) =>
    emit(LinkChanged, {
      ...LinkChanged.sample,
      tenantId,
      id: randomUUID(),
      number: linkNumber(i),
      slug: `bench-${linkNumber(i)}`,
      programId,
      partnerId,
    }),
  );
  const { keys } = parseClickIdKeys(CLICK_ID_KEYS);
  const clicks = Array.from({ length: CLICKS }, (_, i) =>
    mintClickId(keys, tenantId, {
      keyId: 1,
      linkNumber: linkNumber(i % LINKS),
      occurredAtMs: Date.now() - 3_600_000,
      nonce: Math.floor(random() * 2 ** 32),
    }),
  );
  return {
    tenantId,
    key: text,
    clicks,
    events: [
      emit(ProgramChanged, { ...ProgramChanged.sample, tenantId, id: programId }),
      emit(PartnerChanged, { ...PartnerChanged.sample, tenantId, id: partnerId }),
      ...links,
      emit(ApiKeyChanged, { ...ApiKeyChanged.sample, tenantId, id: randomUUID(), digest, scopes: SCOPES }),
    ],
  };
}
