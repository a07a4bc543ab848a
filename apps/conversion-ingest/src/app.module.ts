import { parseClickIdKeys } from '@baton/contracts';
import {
  ApiKeys,
  BatchConsumer,
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  type Database,
  openDatabase,
  OutboxRelay,
  type Part,
  writeOutbox,
} from '@baton/platform';
import { countAnswers, ownRoutes } from './answered';
import { DeepLinkController } from './deep-link.controller';
import { deepLinkStore } from './deep-link.store';
import { DeepLinks } from './deep-links';
import { loadDoors } from './doors/load';
import { mountDoors } from './doors/mount';
import type { Env } from './env';
import { FactController } from './fact.controller';
import { factStore } from './fact.store';
import { Groups } from './groups';
import { ingestRoutes } from './ingest.routes';
import { Intake } from './intake';
import { ReceiptController } from './receipt.controller';
import { Receipts } from './receipts';
import { rejectionStore } from './rejection.store';
import { Forgetting } from './forgetting';
import { RedisSeenStore } from './seen.store';
import { type Outcome, type Pending, settleWith } from './settle';

/** Longest statement of a request: a caller waits a few seconds for a silent database, not longer. */
const STATEMENT_MAX_MS = 2_000;
/** Connections of the api pool that groups leave to key look-ups and receipts. */
const SPARE_CONNECTIONS = 2;
/** Apps' claims have connections of their own: their keys lie in apps, and a flood of claims may delay no conversion. */
const CLAIM_CONNECTIONS = 4;

export function compose({ service, env, log, fatal }: Context<Env>): Composition {
  const api = openDatabase({
    url: env.DATABASE_API_URL,
    poolMax: env.DATABASE_POOL_MAX + SPARE_CONNECTIONS,
    log,
    statementTimeoutMs: STATEMENT_MAX_MS,
  });
  const claims = openDatabase({ url: env.DATABASE_API_URL, poolMax: CLAIM_CONNECTIONS, log, statementTimeoutMs: STATEMENT_MAX_MS });
  const worker = openDatabase({ url: env.DATABASE_URL, poolMax: env.PARTITIONS_AT_ONCE + SPARE_CONNECTIONS, log });
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database: worker, producer, log });
  const consumer = new BatchConsumer({
    kafka,
    group: service,
    routes: ingestRoutes(),
    database: worker,
    producer,
    writeOutbox,
    committed: () => relay.wake(),
    log,
    onDead: fatal,
    partitionsAtOnce: env.PARTITIONS_AT_ONCE,
    batchMax: env.BATCH_MAX,
  });
  const seen = new RedisSeenStore({ url: env.REDIS_URL, prefix: env.REDIS_PREFIX, log });
  const groups = new Groups<Pending, Outcome>(
    settleWith({ database: api, facts: factStore, rejections: rejectionStore, seen, committed: () => relay.wake() }),
    {
      groupMax: 200,
      collectMs: 1,
      waitingMax: env.WAITING_MAX,
      waitingOfKeyMax: Math.ceil(env.WAITING_MAX / 2),
      waitMaxMs: 2_000,
      flightsMax: env.DATABASE_POOL_MAX,
      flightsOfKeyMax: 2,
    },
  );
  const { keys: clickIdKeys } = parseClickIdKeys(env.CLICK_ID_KEYS);
  const keys = new ApiKeys(api);
  const routes = ownRoutes();
  const intake = new Intake({ groups, clickIdKeys, emailHashKey: env.EMAIL_HASH_KEY });
  const deepLinks = new DeepLinks({
    database: claims,
    store: deepLinkStore,
    clickIdKeys,
    deviceHashKey: env.EMAIL_HASH_KEY,
    now: () => Date.now(),
  });
  return {
    controllers: [FactController, ReceiptController, DeepLinkController],
    providers: [
      { provide: Intake, useValue: intake },
      { provide: Receipts, useValue: new Receipts(api, factStore, rejectionStore) },
      { provide: DeepLinks, useValue: deepLinks },
      { provide: ApiKeys, useValue: keys },
    ],
    parts: [
      postgres('postgres api', api),
      postgres('postgres worker', worker),
      { name: 'postgres claims', stop: () => claims.close() },
      producing(producer),
      seen,
      relay,
      new Forgetting({ database: worker, rejections: rejectionStore, log }),
      listening(consumer, api),
      groups,
    ],
    status: () => ({ consumer: consumer.unready() ?? 'joined' }),
    routes: (http) => {
      countAnswers(http, log, routes);
      mountDoors(http, loadDoors(), { keys, intake, routes, log, settingsOf: async () => ({}) });
    },
    openApi: {
      title: 'Baton conversion ingest',
      description:
        'Conversions, reversals and identities from the advertiser’s server, and their receipts; claims of newly installed apps.',
    },
  };
}

const postgres = (name: string, database: Database): Part => ({
  name,
  stop: () => database.close(),
  unready: () =>
    database.ping().then(
      () => undefined,
      (error: Error) => error.message,
    ),
});

const producing = (producer: BoundedProducer): Part => ({ name: 'producer', stop: () => producer.close() });

/** While Kafka is away conversions are still taken, with the keys and the catalog known so far; only who has never heard of a key waits for it. */
const listening = (consumer: BatchConsumer, database: Database): Part => ({
  name: consumer.name,
  start: () => consumer.start(),
  stop: () => consumer.stop(),
  unready: async () => {
    const why = consumer.unready();
    if (why === undefined) return undefined;
    const [row] = await database
      .untenanted((tx) => tx.$queryRawUnsafe<{ some: boolean }[]>('SELECT EXISTS (SELECT FROM api_keys) AS some'))
      .catch(() => []);
    return row?.some ? undefined : `${why}, and no API key is known yet`;
  },
});
