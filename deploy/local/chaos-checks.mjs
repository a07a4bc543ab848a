// What must hold once everything has healed: every promise, checked against the client's journal.
import { waitFor } from './api.mjs';
import { verifyPoison } from './chaos-poison.mjs';
import { expectedRewards } from './expected-rewards.mjs';
import { stopInOrder } from './services.mjs';

const TERMS = { windowMs: 30 * 86_400_000, clockSkewMs: 300_000 };
const GROUPS = ['conversion-ingest', 'attribution', 'fraud-scoring', 'reward-fulfillment'];
const DATABASES = ['control-plane', ...GROUPS];
const HEAL_MS = 120_000;

/** Gives each check with whether it holds and what was seen. `asked`: the number of clicks and the plan's basis points. */
export async function verify(platform, clients, exits, outage, asked) {
  const checks = [];
  const check = (what, holds, saw) => checks.push({ what, holds: Boolean(holds), saw });
  const kafka = platform.kafka();
  const started = Date.now();
  const state = {};
  const quiet = async () => {
    state.lag = await kafka.lag(GROUPS);
    state.outbox = {};
    for (const service of DATABASES)
      state.outbox[service] = Number((await platform.query(service, 'SELECT count(*) FROM outbox WHERE published_at IS NULL'))[0].count);
    state.pending = Number((await platform.query('attribution', 'SELECT count(*) FROM rechecks'))[0].count);
    return [...Object.values(state.lag), ...Object.values(state.outbox), state.pending].every((n) => n === 0);
  };
  // Quiet once may be a hop between two services: twice in a row is the end.
  const drained = await waitFor(
    'lag, outbox and pending at 0',
    async () => (await quiet()) && (await pause(700), await quiet()),
    HEAL_MS,
    500,
  ).catch(() => false);
  check(
    'lag, outbox and pending end at 0 within 120 s',
    drained,
    JSON.stringify({ ...state, seconds: Math.round((Date.now() - started) / 1000) }),
  );
  await verifyClicks(platform, clients, kafka, asked.clicks, check);
  await verifyConversions(platform, clients, kafka, check);
  await verifyMoney(platform, clients, asked.basisPoints, check);
  check('no dead letters', (await kafka.deadLetters()) === 0);
  check('no service ended while PostgreSQL was away', outage.exits === 0, JSON.stringify(outage.exited));
  const crashed = (service, point) =>
    exits.some((exit) => exit.service === service && exit.how === 'SIGKILL' && exit.crashAt?.startsWith(point));
  for (const service of ['attribution', 'fraud-scoring', 'reward-fulfillment'])
    check(`${service} died between database commit and offset commit`, crashed(service, 'consumer:committed'));
  for (const service of DATABASES) check(`${service} died between publish and mark`, crashed(service, 'relay:published'));
  check('conversion-ingest died between commit and answer', crashed('conversion-ingest', 'ingest:committed'));
  check('every service was killed', outage.killed.length === 6, String(outage.killed));
  await verifyPoison(platform, clients[0].program, exits, check);
  await verifyReplay(platform, kafka, quiet, state, check);
  return checks;
}

/** Everything is handled once more from the beginning of every topic: nothing may change. There is no inbox to truncate: facts are their own. */
async function verifyReplay(platform, kafka, quiet, state, check) {
  const ledger = async () => {
    const [{ hash }] = await platform.query('reward-fulfillment', 'SELECT baton_ledger_hash() AS hash');
    const [counts] = await platform.query(
      'reward-fulfillment',
      'SELECT (SELECT count(*) FROM postings)::int AS postings, (SELECT sum(sequence) FROM rewards)::int AS changes',
    );
    const [revisions] = await platform.query('attribution', 'SELECT count(*)::int AS revisions FROM attributions');
    return JSON.stringify({ hash, ...counts, ...revisions });
  };
  const before = await ledger();
  await stopInOrder(platform.replicas);
  for (const group of GROUPS) await waitFor(`${group} has no members`, () => kafka.resetOffsets(group).then(() => true), 60_000, 500);
  const lag = Object.values(await kafka.lag(GROUPS)).reduce((sum, n) => sum + n, 0);
  for (const replica of platform.replicas) await replica.start();
  await Promise.all(platform.replicas.map((replica) => replica.ready()));
  const drained = await waitFor(
    'the end of the replay',
    async () => (await quiet()) && (await pause(700), await quiet()),
    HEAL_MS,
    500,
  ).catch(() => false);
  const after = await ledger();
  check(
    `every message handled once more (${lag} of them): the ledger's hash, its postings and the revisions are unchanged`,
    drained && before === after && lag > 0,
    drained ? after : JSON.stringify(state),
  );
}

async function verifyClicks(platform, clients, kafka, asked, check) {
  const issued = clients.flatMap((c) => c.clicks.map((click) => click.clickId));
  check(
    `${asked} clicks were answered, each id once`,
    new Set(issued).size === issued.length && issued.length + clients.reduce((n, c) => n + c.shed, 0) === asked,
    `${issued.length} ids, ${clients.reduce((n, c) => n + c.shed, 0)} without`,
  );
  const bytes = new Map();
  for (const { key, value } of await kafka.readAll('baton.clicks.v1'))
    bytes.set(key.toString(), (bytes.get(key.toString()) ?? new Set()).add(value.toString()));
  const missing = issued.filter((id) => !bytes.has(id));
  check('every issued click id is in the topic', missing.length === 0, `${missing.length} missing`);
  check(
    'always with the same bytes',
    [...bytes.values()].every((set) => set.size === 1),
  );
  const stored = await platform.query('attribution', 'SELECT click_id, count(*)::int AS n FROM clicks WHERE filled GROUP BY click_id');
  const counts = new Map(stored.map((row) => [row.click_id, row.n]));
  check(
    'every issued click id took effect exactly once',
    issued.every((id) => counts.get(id) === 1),
    `${issued.filter((id) => counts.get(id) !== 1).length} not`,
  );
}

async function verifyConversions(platform, clients, kafka, check) {
  const sent = clients.reduce((n, c) => n + c.conversions.length, 0);
  check(
    'every repeat of a request was answered with the same receipt',
    clients.every((c) => [...c.receipts.values()].every((set) => set.size === 1)),
    `${clients.reduce((n, c) => n + c.attempts, 0)} requests`,
  );
  const inTopic = new Set((await kafka.readAll('baton.conversions.v1')).map(({ key }) => key.toString()));
  check('every accepted conversion is in the topic, and no other', inTopic.size === sent, `${inTopic.size} of ${sent}`);
  const [{ n }] = await platform.query('attribution', 'SELECT count(*)::int AS n FROM conversions WHERE revision > 0');
  check('every accepted conversion was decided exactly once', n === sent, `${n} of ${sent}`);
  const [gaps] = await platform.query(
    'attribution',
    'SELECT count(*)::int AS n FROM (SELECT conversion_id FROM attributions GROUP BY tenant_id, conversion_id HAVING max(revision) <> count(*)) AS g',
  );
  check('revisions have no gap', gaps.n === 0);
}

/** What is owed, against a recomputation from the clients' journals, and the ledger's own invariants. */
export async function verifyMoney(platform, clients, basisPoints, check) {
  const rows = await platform.query(
    'reward-fulfillment',
    `SELECT r.tenant_id, c.external_id, r.partner_id, r.amount_minor::int AS amount, r.state FROM rewards r JOIN conversions c USING (tenant_id, conversion_id)`,
  );
  const wrong = [];
  for (const client of clients) {
    const expected = expectedRewards(client, { ...TERMS, basisPoints });
    const actual = new Map(
      rows
        .filter((r) => r.tenant_id === client.program.tenantId && r.amount > 0)
        .map((r) => [`${r.external_id} ${r.partner_id}`, r.amount]),
    );
    for (const [externalId, { partnerId, amountMinor }] of expected)
      if (amountMinor > 0 && actual.get(`${externalId} ${partnerId}`) !== amountMinor)
        wrong.push(`${externalId}: ${actual.get(`${externalId} ${partnerId}`)} instead of ${amountMinor}`);
    const due = [...expected.values()].filter(({ amountMinor }) => amountMinor > 0).length;
    if (actual.size !== due) wrong.push(`${actual.size} rewards where ${due} are due`);
  }
  check(
    'rewards equal an independent recomputation from the journal',
    wrong.length === 0,
    wrong.slice(0, 5).join('; ') || `${rows.length} rewards`,
  );
  const broken = (await platform.query('reward-fulfillment', 'SELECT * FROM baton_ledger_invariants()')).filter(
    (row) => Number(row.broken) !== 0,
  );
  check('the ledger balances: every invariant holds', broken.length === 0, JSON.stringify(broken));
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
