// Clicks and conversions that go on while containers are killed, and what must hold afterwards.
import { steadyOperator, waitFor } from './api.mjs';
import { Client, seeded } from './chaos-load.mjs';
import { verifyMoney } from './chaos-checks.mjs';
import { mustRun } from './compose.mjs';
import { ALL_SCOPES, waitForCatalog } from './demo.mjs';
import { say } from './progress.mjs';
import { SERVICES } from './settings.mjs';

const BASIS_POINTS = 1_000;
const PER_SECOND = 10;
/** One visitor in so many buys. */
const VISITORS_PER_SALE = 3;
const DOWN_MS = 2_000;
const BETWEEN_MS = 3_000;
const HEAL_MS = 240_000;
const GROUPS = ['conversion-ingest', 'attribution', 'fraud-scoring', 'reward-fulfillment'];
const DATABASES = ['control-plane', ...GROUPS];
const STORES = ['kafka', 'postgres', 'redis'];
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Kills one container of every service, and of every store, while visitors click and an advertiser's server sells; then checks the books. */
export async function killWhileLoaded(platform, check) {
  const client = await makeClient(platform);
  const killed = [];
  const going = { on: true };
  const load = visitors(client, going);
  const ticking = setInterval(
    () => say(`    ${client.clicks.length} clicks, ${client.receipts.size} facts accepted, killed: ${killed}`),
    10_000,
  );
  try {
    for (const service of [...SERVICES, ...STORES]) {
      await pause(BETWEEN_MS);
      await killOnce(platform, service);
      killed.push(service);
    }
    await pause(BETWEEN_MS);
    going.on = false;
    await load;
  } finally {
    clearInterval(ticking);
  }
  await platform.up();
  check('one container of every service and every store was killed', killed.length === SERVICES.length + STORES.length, String(killed));
  await verify(platform, client, check);
}

/** As a supervisor sees it: gone without a word, and started again. */
async function killOnce(platform, service) {
  const [container] = await platform.containers(service);
  await mustRun('docker', ['kill', container]);
  await pause(DOWN_MS);
  await mustRun('docker', ['start', container]);
}

async function makeClient(platform) {
  const { ADMIN_KEY } = platform.settings;
  const tenant = await steadyOperator(platform.urls, ADMIN_KEY).post('/v1/tenants', { name: 'Load' });
  const admin = steadyOperator(platform.urls, ADMIN_KEY, tenant.id);
  const program = await admin.post('/v1/programs', { name: 'Load', destination_hosts: ['shop.example'], hold_days: 30, window_days: 30 });
  await admin.post('/v1/plans', { program_id: program.id, name: 'Ten percent', kind: 'percentage', basis_points: BASIS_POINTS });
  const partner = await admin.post('/v1/partners', { name: 'A' });
  const link = await admin.post('/v1/links', { program_id: program.id, partner_id: partner.id, destination: 'https://shop.example/a' });
  const key = await admin.post('/v1/api-keys', { name: 'server', scopes: ALL_SCOPES });
  await waitForCatalog(platform.urls, { catalogVersion: link.catalog_version, apiKey: key.key });
  const links = [{ slug: link.slug, partnerId: partner.id }];
  return new Client({ apiKey: key.key, links, tenantId: tenant.id }, (service) => [platform.urls[service]], seeded(1));
}

/** They come at their pace until it is over; gives when the last of them has his answers. */
async function visitors(client, going) {
  const [link] = client.program.links;
  const visit = async (i) => {
    const click = await client.click(link);
    if (i % VISITORS_PER_SALE > 0) return;
    const sale = { externalId: `order-${i}`, customerId: `customer-${i}`, amountMinor: 1_000 + i * 10, occurredAtMs: Date.now() };
    await client.convert({ ...sale, ...(click ? { clickId: click.clickId } : {}) }, i % 4 === 0 ? 2 : 1);
    if (i % 10 === 0) await client.reverse({ externalId: sale.externalId, id: `refund-${i}`, amountMinor: 500, occurredAtMs: Date.now() });
  };
  const ends = [];
  for (let i = 0; going.on; i++) {
    const troubleOf = visit(i).then(
      () => null,
      (error) => error,
    );
    ends.push(troubleOf);
    await pause(1_000 / PER_SECOND);
  }
  const trouble = (await Promise.all(ends)).find(Boolean);
  if (trouble) throw trouble;
}

async function verify(platform, client, check) {
  const state = {};
  const drained = await waitFor(
    'lag, outboxes and pending at 0',
    async () => (await isQuiet(platform, state)) && (await pause(700), await isQuiet(platform, state)),
    HEAL_MS,
    1_000,
  ).catch(() => false);
  check('after the kills: lag, outboxes and pending end at 0', drained, JSON.stringify(state));
  const { tenantId } = client.program;
  const stored = await platform.query('attribution', 'SELECT click_id FROM clicks WHERE filled AND tenant_id = $1', [tenantId]);
  const counts = new Map();
  for (const { click_id: id } of stored) counts.set(id, (counts.get(id) ?? 0) + 1);
  const lost = client.clicks.filter(({ clickId }) => counts.get(clickId) !== 1).length;
  check('every click id that a visitor got took effect exactly once', lost === 0, `${client.clicks.length} ids, ${lost} not`);
  check(
    'every repeat of a request was answered with the same receipt',
    [...client.receipts.values()].every((ids) => ids.size === 1),
    `${client.attempts} requests`,
  );
  const [{ n }] = await platform.query('attribution', 'SELECT count(*)::int AS n FROM conversions WHERE revision > 0 AND tenant_id = $1', [
    tenantId,
  ]);
  check('every accepted conversion was decided exactly once', n === client.conversions.length, `${n} of ${client.conversions.length}`);
  await verifyMoney(platform, [client], BASIS_POINTS, check);
  const letters = await platform.kafka().deadLetters();
  check('no dead letters', letters === 0, String(letters));
}

async function isQuiet(platform, state) {
  state.lag = Object.values(await platform.kafka().lag(GROUPS)).reduce((sum, n) => sum + n, 0);
  state.outbox = 0;
  for (const service of DATABASES)
    state.outbox += (await platform.query(service, 'SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL'))[0].n;
  state.pending = (await platform.query('attribution', 'SELECT count(*)::int AS n FROM rechecks'))[0].n;
  return state.lag + state.outbox + state.pending === 0;
}

/** What must be the same after everything was taken down and brought up: the ledger, its postings, every revision, every receipt, every link. */
export async function booksOf(platform) {
  const one = async (service, sql) => (await platform.query(service, sql))[0];
  return JSON.stringify({
    ...(await one('reward-fulfillment', 'SELECT baton_ledger_hash() AS ledger, (SELECT count(*) FROM postings)::int AS postings')),
    ...(await one('attribution', 'SELECT count(*)::int AS revisions, (SELECT count(*) FROM clicks)::int AS clicks FROM attributions')),
    ...(await one('fraud-scoring', 'SELECT count(*)::int AS judgements FROM judgements')),
    ...(await one('conversion-ingest', 'SELECT count(*)::int AS facts FROM facts')),
    rewards: (await platform.kafka().readAll('baton.rewards.v1')).length,
  });
}
