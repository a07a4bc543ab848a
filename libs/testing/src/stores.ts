import { randomBytes } from 'node:crypto';

/** Where the real Kafka, Postgres and Redis of this test run are. `jest.stores.cjs` provides them. */
export interface Stores {
  readonly kafkaBrokers: string[];
  /** A superuser's URL, database `postgres`. */
  readonly postgresAdminUrl: string;
  readonly redisUrl: string;
}

export function stores(): Stores {
  return {
    kafkaBrokers: required('KAFKA_BROKERS').split(','),
    postgresAdminUrl: required('POSTGRES_ADMIN_URL'),
    redisUrl: required('REDIS_URL'),
  };
}

/** A prefix of its own for topics, groups, keys and databases, so that tests share stores and nothing else: `t3f9a1c_`. */
export const ownPrefix = (): string => `t${randomBytes(3).toString('hex')}_`;

function required(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(
      `${name} is not set: run integration tests through \`npm test\` or \`nx run <app>:integration\`, which provide Kafka, Postgres and Redis`,
    );
  return value;
}
