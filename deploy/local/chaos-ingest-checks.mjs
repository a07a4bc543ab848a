// What must hold for every request that was answered, once everything has healed.
import { call, waitFor } from './api.mjs';
import { formsOf, shown } from './chaos-topic.mjs';

const HEAL_MS = 120_000;
const GROUPS = ['conversion-ingest', 'attribution'];
const TOPICS = { conversion: 'baton.conversions.v1', reversal: 'baton.reversals.v1', identity: 'baton.identities.v1' };
const ID_OF = { conversion: 'conversionId', reversal: 'reversalId', identity: 'identityId' };

export async function verifyFacts(world) {
  const { platform, checks, kafka, advertiser } = world;
  const started = Date.now();
  const state = {};
  const healed = await waitFor('outbox and lag at 0', () => isQuiet(world, state), HEAL_MS, 500).catch(() => false);
  checks.add(
    'within 120 s the outbox is empty and no consumer lags',
    healed,
    `${JSON.stringify(state)}, ${Math.round((Date.now() - started) / 1000)} s`,
  );
  const rows = await platform.query(
    'conversion-ingest',
    'SELECT fact_id, kind, receipt_id, external_id, answer::text AS answer, data FROM facts',
  );
  verifyAnswers(advertiser, rows, checks);
  await verifyTopics(kafka, rows, checks);
  await verifyAttribution(platform, rows, checks);
  await verifyMetrics(world);
  const letters = await kafka.deadLetters();
  checks.add('no dead letters', letters === 0, String(letters));
}

/** Quiet once may be a hop between two services: what is stored at the end of the line shows it. */
async function isQuiet({ kafka, platform }, state) {
  const [{ n: outbox }] = await platform.query('conversion-ingest', 'SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL');
  const [{ n: facts }] = await platform.query('conversion-ingest', 'SELECT count(*)::int AS n FROM facts');
  const [{ n: known }] = await platform.query('attribution', KNOWN_COUNT);
  const lag = await kafka.lag(GROUPS);
  Object.assign(state, { outbox, lag, missing: facts - known });
  return outbox === 0 && facts === known && GROUPS.every((group) => lag[group] === 0);
}

const KNOWN_COUNT = `SELECT ((SELECT count(*) FROM conversions WHERE revision > 0) + (SELECT count(*) FROM reversals) + (SELECT count(*) FROM identities))::int AS n`;

function verifyAnswers({ answered, unkind }, rows, checks) {
  const taken = answered.filter(({ status }) => status === 200 || status === 201);
  const byName = new Map();
  for (const answer of taken) byName.set(answer.name, [...(byName.get(answer.name) ?? []), answer]);
  const stored = new Map(rows.map((row) => [row.receipt_id, row]));
  const names = [...byName];
  const different = names.filter(
    ([, all]) => new Set(all.map(({ text }) => text)).size > 1 || new Set(all.map(({ receipt }) => receipt)).size > 1,
  );
  checks.add(
    'every repeat got the first receipt, to the letter',
    different.length === 0,
    shown(different, `${taken.length - names.length} repeats of ${names.length} facts`),
  );
  const lost = names.filter(([, [{ receipt, text }]]) => stored.get(receipt)?.answer !== text);
  checks.add('every 2xx is a stored fact with that receipt', lost.length === 0 && names.length > 0, shown(lost, `${rows.length} facts`));
  const told = new Set(taken.map(({ receipt }) => receipt));
  const unasked = rows.filter((row) => !told.has(row.receipt_id));
  checks.add(
    'nothing else is stored',
    unasked.length === 0 && new Set(rows.map((row) => row.fact_id)).size === rows.length,
    shown(unasked.map((row) => row.external_id)),
  );
  const twice = names.filter(([, all]) => all.filter(({ status }) => status === 201).length > 1);
  checks.add('201 was said at most once for each', twice.length === 0, shown(twice));
  const conflicts = answered.filter(({ isConflict }) => isConflict);
  const mild = conflicts.filter(({ status, receipt, name }) => status !== 409 || receipt !== byName.get(name)?.[0].receipt);
  checks.add(
    'another body under a taken id is a conflict that names the first receipt',
    mild.length === 0 && conflicts.length > 0,
    shown(
      mild.map(({ name, status }) => `${name} ${status}`),
      String(conflicts.length),
    ),
  );
  const refused = answered.filter(({ isConflict, status }) => !isConflict && status >= 400);
  checks.add(
    'nobody else was refused for good',
    refused.length === 0,
    shown(refused.map(({ name, status, text }) => `${name} ${status} ${text.slice(0, 120)}`)),
  );
  checks.add('every 5xx was a 503 with a reason and Retry-After', unkind.length === 0, shown(unkind));
}

async function verifyTopics(kafka, rows, checks) {
  for (const [kind, topic] of Object.entries(TOPICS)) {
    const own = rows.filter((row) => row.kind === kind);
    const found = formsOf(await kafka.readAll(topic), ({ data }) => data[ID_OF[kind]]);
    const astray = own.filter(
      (row) => found.get(row.fact_id)?.forms.size !== 1 || found.get(row.fact_id).data.receiptId !== row.receipt_id,
    );
    const times = [...found.values()].reduce((sum, entry) => sum + entry.times, 0);
    checks.add(
      `each ${kind} is in ${topic} at least once, always with the same bytes, and no other is`,
      astray.length === 0 && found.size === own.length && own.length > 0,
      shown(
        astray.map((row) => row.fact_id),
        `${times} messages of ${found.size}`,
      ),
    );
  }
}

async function verifyAttribution(platform, rows, checks) {
  const known = new Map();
  for (const [kind, sql] of Object.entries({
    conversion: 'SELECT conversion_id AS id, receipt_id FROM conversions WHERE revision > 0',
    reversal: 'SELECT reversal_id AS id FROM reversals',
    identity: 'SELECT identity_id AS id FROM identities',
  }))
    for (const { id, receipt_id: receipt } of await platform.query('attribution', sql))
      known.set(`${kind} ${id}`, { times: (known.get(`${kind} ${id}`)?.times ?? 0) + 1, receipt });
  const wrong = rows.filter(({ kind, fact_id: id, receipt_id: receipt }) => {
    const seen = known.get(`${kind} ${id}`);
    return seen?.times !== 1 || (kind === 'conversion' && seen.receipt !== receipt);
  });
  checks.add(
    'each took effect in attribution exactly once, and nothing else did',
    wrong.length === 0 && known.size === rows.length,
    shown(
      wrong.map((row) => row.fact_id),
      `${known.size}`,
    ),
  );
  const [{ gaps }] = await platform.query(
    'attribution',
    'SELECT count(*)::int AS gaps FROM (SELECT conversion_id FROM attributions GROUP BY tenant_id, conversion_id HAVING max(revision) <> count(*)) AS g',
  );
  checks.add('decisions have no gap and no repeat', gaps === 0, String(gaps));
}

/** Of the processes that live now, each from its own start. */
async function verifyMetrics({ ingests, checks }) {
  for (const { name, url } of ingests) {
    const { body } = await call(`${url}/metrics`);
    const sum = (metric, of = '') =>
      String(body)
        .split('\n')
        .filter((line) => line.startsWith(`${metric}{`) && line.includes(of))
        .reduce((all, line) => all + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
    const received = sum('baton_ingest_received_total');
    const verdicts = Object.fromEntries(
      ['accepted', 'duplicate', 'rejected'].map((verdict) => [verdict, sum('baton_ingest_answered_total', `verdict="${verdict}"`)]),
    );
    const answered = Object.values(verdicts).reduce((all, n) => all + n, 0);
    checks.add(
      `${name}: received = accepted + duplicate + rejected`,
      received === answered && received > 0,
      `${received}; ${JSON.stringify(verdicts)}`,
    );
  }
}
