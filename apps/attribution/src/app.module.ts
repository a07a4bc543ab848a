import { parseClickIdKeys } from '@baton/contracts';
import {
  BatchConsumer,
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  openDatabase,
  OutboxRelay,
  writeOutbox,
} from '@baton/platform';
import { attributionRoutes } from './attribution.routes';
import { PostgresAttributionStore } from './attribution.store';
import { PostgresClickStore } from './click.store';
import type { Env } from './env';
import { PostgresFactStore } from './fact.store';
import { PostgresPersonStore } from './person.store';
import { Housekeeping } from './housekeeping.routes';
import { RecheckSweep } from './recheck.routes';
import { PostgresRecheckStore } from './recheck.store';
import { revising, type Stores } from './revise';

export const postgresStores = (): Stores => ({
  facts: new PostgresFactStore(),
  clicks: new PostgresClickStore(),
  persons: new PostgresPersonStore(),
  attributions: new PostgresAttributionStore(),
  rechecks: new PostgresRecheckStore(),
});

export function compose({ service, env, log, fatal }: Context<Env>): Composition {
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log, security: env });
  const database = openDatabase({ url: env.DATABASE_URL, poolMax: env.DATABASE_POOL_MAX, log, pipelined: true, joinsByIndex: true });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database, producer, log });
  const stores = postgresStores();
  const revise = revising(stores, env.PENDING_MS);
  const sweep = new RecheckSweep({ database, stores, revise, writeOutbox, committed: () => relay.wake(), log });
  const consumer = new BatchConsumer({
    kafka,
    group: service,
    routes: attributionRoutes({ stores, revise, keys: parseClickIdKeys(env.CLICK_ID_KEYS).keys }),
    database,
    producer,
    writeOutbox,
    committed: () => relay.wake(),
    log,
    onDead: fatal,
    partitionsAtOnce: env.PARTITIONS_AT_ONCE,
    batchMax: env.BATCH_MAX,
  });
  const housekeeping = new Housekeeping({ database, clicks: stores.clicks, attributions: stores.attributions, log });
  return {
    parts: [
      { name: 'database', stop: () => database.close() },
      { name: 'producer', stop: () => producer.close() },
      housekeeping,
      relay,
      sweep,
      consumer,
    ],
  };
}
