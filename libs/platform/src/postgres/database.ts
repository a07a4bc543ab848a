import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '../generated/client';
import { type Database, type Tx } from '../ports';
import { counter } from '../run/metrics';
import type { Log } from '../run/log';
import { Connection } from './connection';
import { classify, isCollision } from './errors';
import { PipelinedClient } from './pipelined';

/** The part of a generated Prisma client that the runtime needs; a service passes its own client where it wants typed models. */
export interface TransactingClient<T extends Tx> {
  $transaction<R>(work: (tx: T) => Promise<R>, options?: { maxWait?: number; timeout?: number }): Promise<R>;
  $queryRawUnsafe<R = unknown>(sql: string, ...values: unknown[]): Promise<R>;
  $disconnect(): Promise<void>;
}

export interface DatabaseOptions<T extends Tx> {
  readonly url: string;
  readonly poolMax: number;
  readonly log: Log;
  /** Absent: the client of the ground schema, enough for stores that speak SQL. */
  readonly createClient?: (adapter: PrismaPg) => TransactingClient<T>;
  /** Without Prisma in between, statements asked for together in one round trip: for SQL on a hot path. */
  readonly pipelined?: boolean;
  /** Beside `pipelined`: joins look up row by row, through an index. For consumers: one side of each of their joins is a batch. */
  readonly joinsByIndex?: boolean;
  /** Longest that one statement may run. */
  readonly statementTimeoutMs?: number;
}

const COLLISIONS_MAX = 5;

/**
 * Opens one role's pool. The work of a transaction must bear being run again: collisions (deadlock, serialisation) are retried here.
 * Every failure of the world comes out as `InfrastructureError`; a lost connection never ends the process.
 */
export function openDatabase<T extends Tx = Tx>(options: DatabaseOptions<T>): Database<T> {
  const client = options.pipelined ? pipelined<T>(options) : throughPrisma(options);
  const retries = counter('baton_postgres_collisions_total', 'Transactions run again after a deadlock or serialisation failure');
  const transaction = <R>(tenantIds: readonly string[] | null, work: (tx: T) => Promise<R>): Promise<R> =>
    retrying(
      () => retries.inc(),
      () => client.transaction(tenantIds, work),
    );
  return {
    transaction,
    untenanted: (work) => transaction(null, work),
    ping: async () => {
      try {
        await client.ping();
      } catch (error) {
        throw classify(error);
      }
    },
    close: () => client.close(),
  };
}

interface Way<T extends Tx> {
  transaction<R>(tenantIds: readonly string[] | null, work: (tx: T) => Promise<R>): Promise<R>;
  ping(): Promise<unknown>;
  close(): Promise<void>;
}

function pipelined<T extends Tx>({ log, ...options }: DatabaseOptions<T>): Way<T> {
  const client = new PipelinedClient(settingsOf(options), log, options.joinsByIndex);
  return {
    transaction: (tenantIds, work) =>
      client.$transaction(work as (tx: Tx) => ReturnType<typeof work>, async (tx) => tenantIds && setTenants(tx, tenantIds)),
    ping: () => client.$queryRawUnsafe('SELECT 1'),
    close: () => client.$disconnect(),
  };
}

function throughPrisma<T extends Tx>({ log, createClient, ...options }: DatabaseOptions<T>): Way<T> {
  const adapter = new PrismaPg(
    { ...settingsOf(options), Client: Connection },
    {
      onPoolError: (error) => log.debug({ err: error }, 'a pooled connection was lost'),
      onConnectionError: (error) => log.debug({ err: error }, 'a connection was lost'),
    },
  );
  const client = (createClient ?? ((a: PrismaPg) => new PrismaClient({ adapter: a }) as unknown as TransactingClient<T>))(adapter);
  return {
    transaction: (tenantIds, work) =>
      client.$transaction(
        async (tx) => {
          if (tenantIds) await setTenants(tx, tenantIds);
          return work(tx);
        },
        // READ COMMITTED is the role's default (`bootstrapDatabases`): naming it here would cost a round trip each time.
        { maxWait: 5_000, timeout: 60_000 },
      ),
    ping: () => client.$queryRawUnsafe('SELECT 1'),
    close: () => client.$disconnect(),
  };
}

const settingsOf = ({
  url,
  poolMax,
  statementTimeoutMs = 20_000,
}: Pick<DatabaseOptions<Tx>, 'url' | 'poolMax' | 'statementTimeoutMs'>) => ({
  connectionString: url,
  max: poolMax,
  connectionTimeoutMillis: 3_000,
  idleTimeoutMillis: 30_000,
  keepAlive: true,
  statement_timeout: statementTimeoutMs,
  // A silent connection (black hole) is given up a little later than the server would give up the statement.
  query_timeout: statementTimeoutMs + 2_000,
  idle_in_transaction_session_timeout: 30_000,
});

/** Local to the transaction: a session-level setting would leak to the next borrower of the connection. */
const setTenants = (tx: Tx, tenantIds: readonly string[]): Promise<unknown> =>
  tx.$queryRawUnsafe(
    "SELECT set_config('app.tenants', $1, true), set_config('app.tenant', $2, true)",
    `{${tenantIds.join(',')}}`,
    tenantIds.length === 1 ? tenantIds[0] : '',
  );

async function retrying<R>(count: () => void, work: () => Promise<R>): Promise<R> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const classified = classify(error);
      if (!isCollision(classified) || attempt >= COLLISIONS_MAX) throw classified;
      count();
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 20 * 2 ** attempt));
    }
  }
}
