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
import { PostgresClickStore } from './click.store';
import type { Env } from './env';
import { fraudRoutes } from './fraud-scoring.routes';
import { PostgresJudgementStore } from './judgement.store';
import { MonthSweep } from './sweep';

export function compose({ service, env, log, fatal }: Context<Env>): Composition {
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log, security: env });
  const database = openDatabase({ url: env.DATABASE_URL, poolMax: env.DATABASE_POOL_MAX, log, pipelined: true, joinsByIndex: true });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database, producer, log });
  const clicks = new PostgresClickStore();
  const months = new MonthSweep({ database, clicks, log });
  const consumer = new BatchConsumer({
    kafka,
    group: service,
    routes: fraudRoutes({ clicks, judgements: new PostgresJudgementStore(), now: () => new Date() }),
    database,
    producer,
    writeOutbox,
    committed: () => relay.wake(),
    log,
    onDead: fatal,
    partitionsAtOnce: env.PARTITIONS_AT_ONCE,
    batchMax: env.BATCH_MAX,
  });
  return {
    parts: [
      { name: 'database', stop: () => database.close() },
      { name: 'producer', stop: () => producer.close() },
      months,
      relay,
      consumer,
    ],
  };
}
