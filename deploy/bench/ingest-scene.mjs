// What every case of the ingest starts from: three stores, a migrated database, the service as it runs, advertisers with keys, and somebody who asks.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ensureStores } from '../local/infra.mjs';
import { pause } from '../local/processes.mjs';
import { ROOT } from '../local/settings.mjs';
import { startCluster } from './cluster.mjs';
import { startDatabase } from './database.mjs';
import { CLICK_ID_KEYS, entitiesOf, publishAccounts } from './ingest-catalog.mjs';
import { startLoad } from './load.mjs';
import { startServer } from './processes.mjs';
import { fail } from './say.mjs';
import { runFolder } from './scene.mjs';

const require = createRequire(import.meta.url);
const { TOPICS } = require('@baton/contracts');

const MAIN = join(ROOT, 'apps/conversion-ingest/dist/main.js');
const KNOWN_WITHIN_MS = 60_000;
const SENT_WITHIN_MS = 120_000;
const POLL_MS = 50;
/** As the service's own default. */
const POOL_MAX = 12;
/** Of the service's pool, beside those for groups. */
export const CONNECTIONS_OF_OURS = POOL_MAX + 2;

/** `env` is added to the service's environment, `flags` to Node's. */
export async function setIngestScene({ run, accounts: count, flags = [], env = {} }) {
  if (!existsSync(MAIN)) fail(`conversion-ingest is not built: ${MAIN} is missing. Run: npm run build`);
  const stores = await ensureStores().catch((error) => fail(error.message));
  const folder = runFolder(run);
  const cluster = await startCluster({ brokers: stores.KAFKA_BROKERS, run });
  const database = await startDatabase({ run, stores, service: 'conversion-ingest' });
  const accounts = await publishAccounts({ count, send: (topic, messages) => cluster.send(topic, messages) });
  const ours = await startOurs({ run, folder, flags, cluster, stores, database, env, accounts });
  const load = await startLoad({
    run,
    kind: 'conversions',
    accounts,
    salt: randomBytes(3).toString('hex'),
    occurredAt: new Date(Date.now() - 60_000).toISOString(),
  });
  const scene = { run, folder, stores, cluster, database, accounts, ours, load, created: 0, repeated: 0 };
  await until(
    'the service knows the catalog',
    KNOWN_WITHIN_MS,
    async () => (await database.count('catalog_entities')) >= entitiesOf(count),
  );
  return scene;
}

const startOurs = ({ run, folder, flags, cluster, stores, database, env, accounts }) =>
  startServer({
    run,
    name: 'conversion-ingest',
    folder,
    args: [...flags, MAIN],
    env: {
      KAFKA_BROKERS: cluster.brokers,
      TOPIC_PREFIX: cluster.prefix,
      DATABASE_URL: database.urls.worker,
      DATABASE_API_URL: database.urls.api,
      DATABASE_POOL_MAX: String(POOL_MAX),
      REDIS_URL: stores.REDIS_URL,
      REDIS_PREFIX: cluster.prefix,
      CLICK_ID_KEYS,
      EMAIL_HASH_KEY: 'ef'.repeat(32),
      // Limits are kept, and not reached.
      KEY_RATE_PER_SECOND: '1000000',
      LOG_LEVEL: 'info',
      ...env,
    },
    isReady: (port) => knowsKeys(port, accounts),
  });

async function knowsKeys(port, accounts) {
  const asked = accounts.map(({ key }) =>
    fetch(`http://127.0.0.1:${port}/v1/receipts?external_id=none`, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(2_000),
    }).then(
      (answer) => answer.status === 404,
      () => false,
    ),
  );
  return (await Promise.all(asked)).every(Boolean);
}

/** Waits until every stored fact was sent to Kafka and marked as sent. */
export const sent = ({ database }) =>
  until('every fact was sent to Kafka', SENT_WITHIN_MS, async () => (await database.count('outbox', 'published_at IS NULL')) === 0);

/** Adds a run's answers to what there must be. */
export function note(scene, { created, repeated }) {
  scene.created += created;
  scene.repeated += repeated;
}

/** Every 201 is a row and a message, and nothing else is. Throws when not: the run is void. */
export async function mustBalanceFacts(scene) {
  const facts = await scene.database.count('facts');
  const messages = await scene.cluster.countOf(scene.cluster.prefix + TOPICS.conversions);
  scene.text = `${scene.created} answers 201 and ${scene.repeated} answers 200, ${facts} facts stored, ${messages} messages in the topic`;
  if (facts !== scene.created || messages !== facts) fail(`the counts do not balance: ${scene.text}`);
}

export const tellFacts = ({ run, text }) => run.notes.push(`counts balance: ${text}`);

export async function until(what, withinMs, holds) {
  const deadline = Date.now() + withinMs;
  while (!(await holds())) {
    if (Date.now() > deadline) fail(`${what}: not so within ${withinMs / 1_000} s`);
    await pause(POLL_MS);
  }
}
