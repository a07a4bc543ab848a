import type { Socket } from 'node:net';
import { Pool, type PoolClient, type QueryConfig, type QueryResult, TypeOverrides } from 'pg';
import type { Tx } from '../ports';
import type { Log } from '../run/log';
import { Connection } from './connection';

/** As `pg` takes them. */
export interface PoolSettings {
  readonly connectionString: string;
  readonly max: number;
  readonly [setting: string]: unknown;
}

const INT8 = 20;
const types = new TypeOverrides();
types.setTypeParser(INT8, BigInt);

/**
 * Transactions straight through `pg`, for the paths where every round trip counts: a statement is sent without waiting for the answers to those
 * before it, so that what is asked for together (`Promise.all`) takes one round trip. Types come as with Prisma's raw queries; `numeric` is a text.
 */
export class PipelinedClient {
  private readonly pool: Pool;

  /** `joinsByIndex` as in `DatabaseOptions`. */
  constructor(
    settings: PoolSettings,
    private readonly log: Log,
    joinsByIndex = false,
  ) {
    const planning = joinsByIndex ? `${ONE_PLAN}; ${JOINS_BY_INDEX}` : ONE_PLAN;
    this.pool = new Pool({ ...settings, Client: Connection, types, pipeline: true } as never);
    this.pool.on('error', this.lost);
    // Sent ahead of what the connection is made for; one that fails at it fails at that as well.
    this.pool.on('connect', (client) => void client.query(planning).catch(() => undefined));
  }

  async $queryRawUnsafe<R>(sql: string, ...values: unknown[]): Promise<R> {
    return (await this.pool.query(sql, values)).rows as R;
  }

  $disconnect(): Promise<void> {
    return this.pool.end();
  }

  /** `opening` is sent right behind BEGIN, and not waited for by itself. What fails is rolled back, and its connection too where it is broken. */
  async $transaction<R>(work: (tx: Tx) => Promise<R>, opening: (tx: Tx) => Promise<unknown> = nothing): Promise<R> {
    const client = await this.pool.connect();
    // The pool does not listen to what it has lent; its statements hear of the loss as well.
    client.on('error', this.lost);
    const release = (broken?: Error): void => {
      client.off('error', this.lost);
      client.release(broken);
    };
    const { tx, end } = statements(client);
    try {
      const opened = Promise.all([tx.$executeRawUnsafe('BEGIN'), opening(tx)]);
      // Looked at below; until then it must not count as unheard.
      opened.catch(() => undefined);
      const [done] = await Promise.allSettled([work(tx)]);
      end();
      // The first failure is the cause of those after it.
      await opened;
      if (done.status === 'rejected') throw done.reason;
      committed(await client.query({ text: 'COMMIT' }));
      release();
      return done.value;
    } catch (error) {
      await client.query({ text: 'ROLLBACK' }).then(() => release(), release);
      throw error;
    }
  }

  private readonly lost = (error: Error): void => this.log.debug({ err: error }, 'a connection was lost');
}

/**
 * A prepared statement is planned once, and by index: its tables may have been empty then. Left to itself PostgreSQL plans each run anew where it guesses that
 * to be cheaper: it guesses by the figures of the hour, and a plan over the outbox's partitions costs three times what running it does.
 */
const ONE_PLAN = 'SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off';

/** What was planned while a table was empty would read all of it for each batch, until somebody analyses it. */
const JOINS_BY_INDEX = 'SET enable_hashjoin = off; SET enable_mergejoin = off';

const nothing = (): Promise<void> => Promise.resolve();

/** After `end` nothing is asked any more: work that failed in one part may still go on in another, and the connection is soon somebody else's. */
function statements(client: PoolClient): { readonly tx: Tx; readonly end: () => void } {
  let isOver = false;
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const ask = (sql: string, values: unknown[]): Promise<QueryResult> => {
    if (isOver) return Promise.reject(new Error('the transaction is over'));
    // One write for all that is asked for in this turn.
    if (stream.writableCorked === 0) {
      stream.cork();
      process.nextTick(() => stream.uncork());
    }
    return client.query(prepared(sql, values));
  };
  const tx: Tx = {
    $queryRawUnsafe: async <R>(sql: string, ...values: unknown[]): Promise<R> => (await ask(sql, values)).rows as R,
    $executeRawUnsafe: async (sql: string, ...values: unknown[]): Promise<number> => (await ask(sql, values)).rowCount ?? 0,
  };
  return { tx, end: () => void (isOver = true) };
}

/** Statements are few and written by us; were they ever made at run time, those beyond are planned each time. */
const PREPARED_MAX = 200;
const names = new Map<string, string>();

/** Each connection plans a statement once, under its name. */
function prepared(text: string, values: unknown[]): QueryConfig {
  let name = names.get(text);
  if (name === undefined) {
    if (names.size >= PREPARED_MAX) return { text, values };
    names.set(text, (name = `baton${names.size}`));
  }
  return { name, text, values };
}

/** Of a transaction in which a statement failed, COMMIT says ROLLBACK, and no error. */
function committed({ command }: QueryResult): void {
  if (command !== 'COMMIT') throw new Error(`a statement of this transaction failed unheard: the server answered COMMIT with ${command}`);
}
