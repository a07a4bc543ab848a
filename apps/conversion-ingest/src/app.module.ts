import { parseClickIdKeys, parseNetworks } from '@baton/contracts';
import {
  Admission,
  ApiKeys,
  BatchConsumer,
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  type Database,
  frontOf,
  openDatabase,
  OutboxRelay,
  type Part,
  sayQuota,
  writeOutbox,
} from '@baton/platform';
import { countAnswered, countAnswers, countReceived, OWN_DOOR, ownRoutes } from './answered';
import { BatchController } from './batch.controller';
import { BulkController } from './bulk.controller';
import { BULK_PATHS } from './bulk-openapi';
import { DeepLinkController } from './deep-link.controller';
import { deepLinkStore } from './deep-link.store';
import { DeepLinks } from './deep-links';
import { aliasStore } from './doors/alias.store';
import { DoorJoins } from './doors/joins';
import { loadDoors } from './doors/load';
import { mountDoors } from './doors/mount';
import { settingStore } from './doors/setting.store';
import { DoorSettingsController } from './doors/settings.controller';
import { TenantDoors } from './doors/tenant-doors';
import type { Env } from './env';
import { frontRoutes } from './fact';
import { FactController } from './fact.controller';
import { factStore } from './fact.store';
import { Groups } from './groups';
import { ingestRoutes } from './ingest.routes';
import { Intake } from './intake';
import { CurrentKey } from './keys/current-key';
import { keyUseStore } from './keys/key-use.store';
import { KeyController } from './keys/key.controller';
import { KeyUses } from './keys/key-uses';
import { LeasedQuota } from './keys/leased-quota';
import { RedisPermitStore } from './keys/permit.store';
import { signedIdStore } from './keys/signed-id.store';
import { PgSignedIds } from './keys/signed-ids';
import { progressStore } from './progress.store';
import { ReceiptController } from './receipt.controller';
import { Receipts } from './receipts';
import { rejectionStore } from './rejection.store';
import { Forgetting } from './forgetting';
import { RedisSeenStore } from './seen.store';
import { selections } from './selection.store';
import { type Outcome, type Pending, settleWith } from './settle';
import { touchStore } from './touch.store';

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
    pipelined: true,
  });
  const claims = openDatabase({ url: env.DATABASE_API_URL, poolMax: CLAIM_CONNECTIONS, log, statementTimeoutMs: STATEMENT_MAX_MS });
  const worker = openDatabase({ url: env.DATABASE_URL, poolMax: env.PARTITIONS_AT_ONCE + SPARE_CONNECTIONS, log, pipelined: true });
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log, security: env });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database: worker, producer, log });
  const consumer = new BatchConsumer({
    kafka,
    group: service,
    routes: ingestRoutes(progressStore),
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
    settleWith({
      database: api,
      facts: factStore,
      selections,
      rejections: rejectionStore,
      touches: touchStore,
      seen,
      committed: () => relay.wake(),
    }),
    {
      groupMax: 200,
      collectMs: 1,
      waitingMax: env.WAITING_MAX,
      waitingOfKeyMax: Math.ceil(env.WAITING_MAX / 2),
      waitMaxMs: 2_000,
      flightsMax: env.DATABASE_POOL_MAX,
      flightsOfKeyMax: 3,
    },
  );
  const { keys: clickIdKeys } = parseClickIdKeys(env.CLICK_ID_KEYS);
  const routes = ownRoutes();
  const intake = new Intake({ groups, clickIdKeys, emailHashKey: env.EMAIL_HASH_KEY });
  const deepLinks = new DeepLinks({
    database: claims,
    store: deepLinkStore,
    clickIdKeys,
    deviceHashKey: env.EMAIL_HASH_KEY,
    now: () => Date.now(),
  });
  const limit = env.KEY_RATE_PER_SECOND === 0 ? null : { requests: env.KEY_RATE_PER_SECOND, windowSeconds: 1 };
  const permits = new RedisPermitStore({ url: env.REDIS_URL, prefix: env.REDIS_PREFIX, log });
  const quota = new LeasedQuota({ permits, limit, now: () => Date.now() });
  const uses = new KeyUses({ database: worker, store: keyUseStore, now: () => Date.now(), log });
  const signedIds = new PgSignedIds({ api, worker, store: signedIdStore, now: () => Date.now(), log });
  const admission = new Admission({
    keys: new ApiKeys(api),
    trustedProxies: parseNetworks(env.TRUSTED_PROXIES),
    ...(env.POSTBACK_SIGNING_ROOT ? { signing: { root: env.POSTBACK_SIGNING_ROOT, ids: signedIds } } : {}),
    quota,
    used: (key) => uses.note(key),
  });
  const bulk = new BulkController({ admission, intake, log });
  const doors = loadDoors();
  const sealKey = env.DOOR_SECRETS_KEY ? Buffer.from(env.DOOR_SECRETS_KEY, 'hex') : null;
  const tenantDoors = new TenantDoors({ database: api, settings: settingStore, doors, sealKey, now: () => Date.now() });
  const joins = new DoorJoins({ database: api, aliases: aliasStore });
  return {
    controllers: [FactController, BatchController, ReceiptController, DeepLinkController, KeyController, DoorSettingsController],
    providers: [
      { provide: Intake, useValue: intake },
      {
        provide: Receipts,
        useValue: new Receipts({ database: api, facts: factStore, rejections: rejectionStore, progress: progressStore, selections }),
      },
      { provide: DeepLinks, useValue: deepLinks },
      { provide: TenantDoors, useValue: tenantDoors },
      { provide: Admission, useValue: admission },
      { provide: CurrentKey, useValue: new CurrentKey({ database: api, store: keyUseStore, limit }) },
    ],
    parts: [
      postgres('postgres api', api),
      postgres('postgres worker', worker),
      { name: 'postgres claims', stop: () => claims.close() },
      producing(producer),
      seen,
      permits,
      quota,
      uses,
      signedIds,
      relay,
      new Forgetting({ database: worker, rejections: rejectionStore, log }),
      listening(consumer, api),
      groups,
    ],
    status: () => ({ consumer: consumer.unready() ?? 'joined' }),
    front: frontOf({
      admission,
      routes: frontRoutes(intake),
      log,
      received: () => countReceived(OWN_DOOR),
      answered: (request, reply) =>
        countAnswered(log, request, { door: OWN_DOOR, status: reply.statusCode, reason: reply.getHeader('baton-reason') }),
    }),
    routes: (http) => {
      countAnswers(http, log, routes);
      sayQuota(http);
      bulk.routes(http);
      mountDoors(http, doors, {
        admission,
        intake,
        routes,
        log,
        settingsOf: (caller, door) => tenantDoors.of(caller, door),
        endpointOf: (door, id) => tenantDoors.endpoint(door, id),
        follow: (...asked) => joins.follow(...asked),
      });
    },
    openApi: {
      title: 'Baton conversion ingest',
      description:
        'Conversions, reversals and identities from the advertiser’s server, and their receipts; claims of newly installed apps.',
      paths: BULK_PATHS(),
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
