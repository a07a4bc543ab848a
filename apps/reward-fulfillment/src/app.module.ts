import { parseNetworks } from '@baton/contracts';
import {
  Admission,
  ApiKeys,
  BatchConsumer,
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  openDatabase,
  OutboxRelay,
  type Part,
  writeOutbox,
} from '@baton/platform';
import { BalancesController } from './balances.controller';
import { PostgresConversionStore } from './conversion.store';
import type { Env } from './env';
import { Invariants } from './invariants';
import { PostgresLedgerStore } from './ledger.store';
import { PostgresRevisitStore } from './revisit.store';
import { rewardRoutes } from './reward-fulfillment.routes';
import { PostgresReadingStore } from './reading.store';
import { RewardsController } from './rewards.controller';
import { Sweep } from './sweep';

/** The composition root: the only file that says `new`. */
export function compose({ service, env, log, fatal }: Context<Env>): Composition {
  const worker = openDatabase({ url: env.DATABASE_URL, poolMax: env.DATABASE_POOL_MAX, log });
  const api = openDatabase({ url: env.DATABASE_API_URL, poolMax: env.DATABASE_POOL_MAX, log });
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log, security: env });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database: worker, producer, log });
  const settling = {
    conversions: new PostgresConversionStore(),
    ledger: new PostgresLedgerStore(),
    revisits: new PostgresRevisitStore(),
    now: Date.now,
  };
  const committed = (): void => relay.wake();
  const consumer = new BatchConsumer({
    kafka,
    group: service,
    routes: rewardRoutes(settling),
    database: worker,
    producer,
    writeOutbox,
    committed,
    log,
    onDead: fatal,
    partitionsAtOnce: env.PARTITIONS_AT_ONCE,
    batchMax: env.BATCH_MAX,
  });
  const stores: Part = {
    name: 'postgres',
    unready: () =>
      Promise.all([worker.ping(), api.ping()]).then(
        () => undefined,
        (error: Error) => error.message,
      ),
    stop: async () => void (await Promise.all([worker.close(), api.close()])),
  };
  return {
    controllers: [BalancesController, RewardsController],
    providers: [
      { provide: Admission, useValue: new Admission({ keys: new ApiKeys(api), trustedProxies: parseNetworks(env.TRUSTED_PROXIES) }) },
      { provide: PostgresReadingStore, useValue: new PostgresReadingStore(api) },
    ],
    parts: [
      stores,
      { name: 'producer', stop: () => producer.close() },
      relay,
      consumer,
      new Sweep({ ...settling, database: worker, log, everyMs: env.SWEEP_EVERY_MS, committed }),
      new Invariants({ database: worker, log, everyMs: env.INVARIANTS_EVERY_MS }),
    ],
    openApi: { title: 'Baton reward fulfillment', description: 'What is owed to whom, and why. Scope rewards:read.' },
  };
}
