// One journey from a click to a reward, seen from outside: over HTTP and Kafka alone.
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { must, waitFor } from './api.mjs';
import { waitForCatalog } from './demo.mjs';
import { bold, dim, green, red, say } from './progress.mjs';
import { storeEnv } from './settings.mjs';

export { seedDemo } from './demo.mjs';

const TOPICS = ['clicks', 'conversions', 'attributions', 'verdicts', 'rewards'].map((name) => `baton.${name}.v1`);
const AMOUNT_MINOR = 12_000;
/** Nobody buys within a blink of following a link: a faster sale would be held for a person to look at. */
const SHOPPING_MS = 2_500;

/**
 * Plays the journey and gives what happened, hop by hop, with the checks that were made. `ok` is the verdict. `stores` says where the topics are
 * (KAFKA_BROKERS, TOPIC_PREFIX).
 */
export async function playJourney(urls, demo, stores = storeEnv()) {
  await waitForCatalog(urls, demo);
  const watch = await watchTopics(stores);
  const trace = { hops: [], checks: [], ok: false };
  const check = (what, holds) => trace.checks.push({ what, holds });
  try {
    const bearer = { authorization: `Bearer ${demo.apiKey}` };
    const started = Date.now();
    const redirect = await must(
      `${urls['click-redirect']}/r/${demo.slug}?sid=journey`,
      { headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) Baton journey' } },
      [302],
    );
    const location = new URL(redirect.headers.get('location'));
    const clickId = location.searchParams.get('click_id');
    check('the redirect carries a click id', /^[A-Za-z0-9_-]{32}$/.test(clickId ?? ''));
    trace.hops.push({ hop: 'redirect', id: clickId, at: new Date().toISOString(), says: `302 to ${location.host}${location.pathname}` });
    await new Promise((resolve) => setTimeout(resolve, SHOPPING_MS));
    const order = {
      external_id: `journey-${randomUUID()}`,
      click_id: clickId,
      customer_id: 'journey-customer',
      type: 'sale',
      amount_minor: AMOUNT_MINOR,
      currency: 'EUR',
    };
    const post = () => must(`${urls['conversion-ingest']}/v1/conversions`, { method: 'POST', body: order, headers: bearer });
    const first = await post();
    trace.hops.push({
      hop: 'receipt',
      id: first.body.receipt_id,
      at: new Date().toISOString(),
      says: `${first.status} ${first.body.verdict}`,
    });
    check('the conversion is accepted', first.status === 201 && first.body.verdict === 'accepted');
    const seen = await waitFor('the reward of this conversion', () => watch.line(clickId, first.body.conversion_id), 60_000);
    for (const { topic, id, at, says } of seen) trace.hops.push({ hop: topic, id, at, says });
    const before = await must(`${urls['reward-fulfillment']}/v1/balances`, { headers: bearer });
    const again = await post();
    check(
      'the same again is a duplicate with the same receipt',
      again.status === 200 && again.body.receipt_id === first.body.receipt_id && again.headers.get('baton-verdict') === 'duplicate',
    );
    const reward = seen.at(-1).data;
    check(`the reward is 10 % of the sale, to the cent`, reward.amountMinor === AMOUNT_MINOR / 10 && reward.currency === 'EUR');
    check('the reward went to the partner whose link was clicked', reward.partnerId === demo.partnerId && reward.clickId === clickId);
    const shown = await must(`${urls['reward-fulfillment']}/v1/rewards/${reward.rewardId}`, { headers: bearer });
    check('the reward tells the way back to the click', JSON.stringify(shown.body).includes(clickId));
    const after = await must(`${urls['reward-fulfillment']}/v1/balances`, { headers: bearer });
    check('balances are what they were before the repeat', JSON.stringify(before.body) === JSON.stringify(after.body));
    trace.balances = after.body;
    trace.millis = Date.now() - started;
  } finally {
    await watch.close();
  }
  trace.ok = trace.checks.length > 0 && trace.checks.every(({ holds }) => holds);
  return trace;
}

/** Reads the public topics from now on, as a subscriber would. */
async function watchTopics({ KAFKA_BROKERS, TOPIC_PREFIX }) {
  const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs');
  const client = new Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: 'journey', logLevel: logLevel.NOTHING });
  const groupId = `${TOPIC_PREFIX}journey-${randomUUID()}`;
  const consumer = client.consumer({ groupId, maxWaitTimeInMs: 100 });
  const messages = [];
  await consumer.connect();
  await consumer.subscribe({ topics: TOPICS.map((topic) => TOPIC_PREFIX + topic), fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ topic, message }) => {
      if (!message.value) return;
      try {
        messages.push({
          topic: topic.slice(TOPIC_PREFIX.length),
          id: message.headers.ce_id?.toString(),
          at: new Date(Number(message.timestamp)).toISOString(),
          data: JSON.parse(message.value.toString()),
        });
      } catch {
        // Somebody's poison is not ours to judge.
      }
    },
  });
  return {
    /** The newest message of each hop, or null while one is missing. */
    line(clickId, conversionId) {
      const last = (topic, mine) => messages.filter((m) => m.topic === topic && mine(m.data)).at(-1);
      const of = (data) => data.conversionId === conversionId;
      const hops = [last(TOPICS[0], (d) => d.clickId === clickId), ...TOPICS.slice(1).map((topic) => last(topic, of))];
      if (hops.some((hop) => !hop)) return null;
      return hops.map((hop) => ({ ...hop, says: tell(hop) }));
    },
    async close() {
      await consumer.disconnect().catch(() => {});
      const admin = client.admin();
      await admin
        .connect()
        .then(() => admin.deleteGroups([groupId]))
        .catch(() => {});
      await admin.disconnect().catch(() => {});
    },
  };
}

function tell({ topic, data }) {
  if (topic === TOPICS[0]) return `network ${data.network ?? 'unknown'}, sub ids ${JSON.stringify(data.subIds)}`;
  if (topic === TOPICS[1]) return `${data.type} of ${data.amountMinor} ${data.currency} (minor units)`;
  if (topic === TOPICS[2]) return `${data.outcome}: ${data.reason}, revision ${data.revision}`;
  if (topic === TOPICS[3]) return `${data.decision}, score ${data.score}`;
  return `${data.state}: ${data.amountMinor} ${data.currency}, payable from ${data.holdUntil}`;
}

export function printJourney(trace) {
  say(bold('\nOne journey'));
  for (const { hop, id, at, says } of trace.hops)
    say(`  ${at}  ${hop.replace(/^baton\.|\.v1$/g, '').padEnd(12)} ${String(id).padEnd(42)} ${dim(says)}`);
  say(bold('Checks'));
  for (const { what, holds } of trace.checks) say(`  ${holds ? green('✓') : red('✗')} ${what}`);
  say(trace.ok ? green('The journey holds.') : red('The journey does not hold.'));
}
