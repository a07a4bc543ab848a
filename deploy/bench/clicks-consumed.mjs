// Clicks a second and CPU a click of a consumer, from the moment at which it may begin with what waits for it.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureStores } from '../local/infra.mjs';
import { pause } from '../local/processes.mjs';
import { ROOT } from '../local/settings.mjs';
import { clickMessages } from './click-messages.mjs';
import { startCluster } from './cluster.mjs';
import { cpuOf, tellsCpu } from './cpu.mjs';
import { startDatabase } from './database.mjs';
import { CLICK_ID_KEYS } from './ingest-catalog.mjs';
import { compare, inTurns } from './measure.mjs';
import { startServer } from './processes.mjs';
import { fail, say } from './say.mjs';
import { runFolder } from './scene.mjs';

const { TOPICS } = createRequire(import.meta.url)('@baton/contracts');

const POLL_MS = 10;
const SENT_AT_ONCE = 2_000;
/** Code is compiled by then, and tables have their first statistics. */
const WARM_CLICKS = 20_000;
const DONE_WITHIN_MS = 60_000;
/** One transaction a message takes some ten times as long. */
const SHARE_OF_SINGLE = 0.1;
/** Clicks a second, of attribution: against a consumer that keeps nothing, and against one transaction a message. */
const AIMS = { attribution: { raw: 0.25, single: 3 }, 'fraud-scoring': {} };

export const consumed =
  (service) =>
  async ({ clicks, rounds }, run) => {
    const stores = await ensureStores().catch((error) => fail(error.message));
    const scene = { run, stores, folder: runFolder(run), service, next: clickMessages(1) };
    const contestants = {
      ours: await startService(scene, { name: service }),
      single: await startService(scene, { name: `${service}-single`, share: SHARE_OF_SINGLE, env: { BATCH_MAX: '1' } }),
      raw: await startRaw(scene),
    };
    for (const contestant of Object.values(contestants)) await warm(scene, contestant);
    if (!tellsCpu) run.notes.push('this platform does not tell the CPU time of processes: clicks a second alone were compared');
    const samples = await inTurns(
      rounds,
      Object.fromEntries(
        Object.entries(contestants).map(([name, contestant]) => [
          name,
          () => roundOf(scene, contestant, Math.ceil(clicks * contestant.share)),
        ]),
      ),
    );
    await mustBalance(contestants.ours, run);
    for (const result of resultsOf(service, samples)) run.add(result);
  };

/** The service on topics and a database of its own. */
async function startService({ run, stores, folder, service }, { name, share = 1, env = {} }) {
  const main = join(ROOT, 'apps', service, 'dist/main.js');
  if (!existsSync(main)) fail(`${service} is not built: ${main} is missing. Run: npm run build`);
  const cluster = await startCluster({ brokers: stores.KAFKA_BROKERS, run });
  const database = await startDatabase({ run, stores, service });
  const { pid } = await startServer({
    run,
    name,
    folder,
    args: [main],
    env: {
      KAFKA_BROKERS: cluster.brokers,
      TOPIC_PREFIX: cluster.prefix,
      DATABASE_URL: database.urls.worker,
      DATABASE_API_URL: database.urls.api,
      CLICK_ID_KEYS,
      LOG_LEVEL: 'warn',
      ...env,
    },
  });
  return { name, pid, cluster, database, group: cluster.prefix + service, share, sent: 0 };
}

async function startRaw({ run, stores, folder }) {
  const cluster = await startCluster({ brokers: stores.KAFKA_BROKERS, run });
  const group = `${cluster.prefix}reference`;
  const { pid } = await startServer({
    run,
    name: 'reference-consume',
    folder,
    args: [fileURLToPath(new URL('./reference-consume.mjs', import.meta.url))],
    env: { KAFKA_BROKERS: cluster.brokers, GROUP: group, TOPIC: cluster.clicks },
  });
  return { name: 'reference-consume', pid, cluster, group, share: 1, sent: 0 };
}

async function warm(scene, contestant) {
  say(`${contestant.name} joins its group`);
  await send(scene, contestant, WARM_CLICKS);
  await allDone(contestant, 100);
}

/** It stands still (SIGSTOP) until so many clicks wait for it. All of them are done when the round ends, so that nobody works in another's turn. */
async function roundOf(scene, contestant, clicks) {
  process.kill(contestant.pid, 'SIGSTOP');
  try {
    await send(scene, contestant, clicks);
  } finally {
    process.kill(contestant.pid, 'SIGCONT');
  }
  const [cpu, startedMs] = [cpuOf(contestant.pid), performance.now()];
  await allDone(contestant, POLL_MS);
  const perSecond = (clicks * 1_000) / (performance.now() - startedMs);
  const processUs = cpu && (cpuOf(contestant.pid).processUs - cpu.processUs) / clicks;
  return { perSecond, processUs, text: `${Math.round(perSecond)}/s${cpu ? `, ${processUs.toFixed(1)} us of CPU` : ''}` };
}

/** Waits until its group has done with every click that was sent. */
async function allDone({ name, cluster, group, sent }, pollMs) {
  const deadline = Date.now() + DONE_WITHIN_MS;
  for (;;) {
    const done = await cluster.committedBy(group, cluster.clicks);
    if (done >= sent) return;
    if (Date.now() > deadline) fail(`${name}: ${sent - done} of ${sent} clicks were not done within ${DONE_WITHIN_MS / 1_000} s`);
    await pause(pollMs);
  }
}

async function send({ next }, contestant, count) {
  for (let left = count; left > 0; left -= SENT_AT_ONCE)
    await contestant.cluster.send(TOPICS.clicks, Array.from({ length: Math.min(left, SENT_AT_ONCE) }, next));
  contestant.sent += count;
}

/** Every click that was sent to ours is a row, and nothing else is. */
async function mustBalance({ name, database, sent }, run) {
  const stored = await database.count('clicks');
  if (stored !== sent) fail(`the counts do not balance: ${sent} clicks were sent to ${name}, ${stored} are stored`);
  run.notes.push(`counts balance: ${sent} clicks were sent to ${name}, each is stored once`);
}

function resultsOf(service, { ours, single, raw }) {
  const against = (label, reference, aim) => {
    const compared = (what, more) => compare({ ours: ours.map((s) => s[what]), reference: reference.map((s) => s[what]), ...more });
    return [
      compared('perSecond', { name: `${service}: clicks, against ${label}`, unit: '/s', ...(aim === undefined ? {} : { atLeast: aim }) }),
      ...(tellsCpu ? [compared('processUs', { name: `${service}: CPU a click, against ${label}`, unit: 'us', better: 'lower' })] : []),
    ];
  };
  const aims = AIMS[service];
  return [...against('a consumer that keeps nothing', raw, aims.raw), ...against('one transaction a message', single, aims.single)];
}
