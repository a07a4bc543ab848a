import { ownPrefix, stores } from '@baton/testing';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { InfrastructureError } from '../ports';
import { createLog } from '../run/log';
import { type TestDatabase, testDatabase } from '../testing';
import { openDatabase } from './database';

jest.setTimeout(60_000);
const log = createLog('test', 'silent');

/** A way to Postgres that can swallow every byte without closing anything, or reset every connection. */
class Way {
  swallows = false;
  private readonly sockets = new Set<Socket>();
  private server!: Server;

  async open(to: URL): Promise<string> {
    this.server = createServer((near) => {
      const far = connect(Number(to.port || 5432), to.hostname);
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        this.sockets.add(from);
        from.on('data', (bytes) => void (this.swallows || into.write(bytes)));
        from.on('error', () => undefined);
        from.on('close', () => {
          this.sockets.delete(from);
          into.destroy();
        });
      }
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const url = new URL(to);
    url.hostname = '127.0.0.1';
    url.port = String((this.server.address() as { port: number }).port);
    return url.toString();
  }

  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.reset();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

describe.each([false, true])('a database that cannot be reached (pipelined: %s)', (pipelined) => {
  let db: TestDatabase;
  let way: Way;
  let url: string;
  const closing: (() => Promise<unknown>)[] = [];
  const open = () => {
    const database = openDatabase({ url, poolMax: 2, log, statementTimeoutMs: 1_000, pipelined });
    closing.push(() => database.close());
    return database;
  };
  const ask = (database: ReturnType<typeof open>) => database.untenanted((tx) => tx.$queryRawUnsafe<{ one: number }[]>('SELECT 1 AS one'));
  const failureOf = (work: Promise<unknown>) =>
    work.then(
      () => 'no failure',
      (error: unknown) => (error instanceof InfrastructureError ? error.kind : error),
    );

  beforeAll(async () => {
    db = await testDatabase('attribution', {
      adminUrl: stores().postgresAdminUrl,
      prefix: ownPrefix(),
      folder: join(__dirname, '../../prisma'),
    });
  });
  beforeEach(async () => {
    way = new Way();
    url = await way.open(new URL(db.worker));
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
    await way.close();
  });
  afterAll(() => db.drop());

  it('is the infrastructure’s fault when its connections are reset, and is there again at once', async () => {
    const database = open();
    await ask(database);
    const torn = failureOf(
      database.untenanted(async (tx) => {
        await tx.$queryRawUnsafe('SELECT 1');
        way.reset();
        await tx.$queryRawUnsafe('SELECT 2');
      }),
    );
    expect(await torn).toBe('connection');
    expect(await ask(database)).toEqual([{ one: 1 }]);
  });

  it('is given up within seconds when it falls silent, inside a transaction and before one', async () => {
    const database = open();
    const silent = failureOf(
      database.untenanted(async (tx) => {
        await tx.$queryRawUnsafe('SELECT 1');
        way.swallows = true;
        await tx.$queryRawUnsafe('SELECT 2');
      }),
    );
    expect(await silent).toBe('timeout');
    expect(['timeout', 'connection']).toContain(await failureOf(ask(database)));
  });

  it('is used again after the silence: the connections that were swallowed do not come back from the pool', async () => {
    const database = open();
    // Both connections of the pool are in a transaction when the silence begins, and each ends in a COMMIT that nobody hears.
    let begun = 0;
    const swallowed = await Promise.all(
      [1, 2].map(() =>
        failureOf(
          database.untenanted(async (tx) => {
            await tx.$queryRawUnsafe('SELECT 1');
            begun++;
            while (begun < 2) await tx.$queryRawUnsafe('SELECT 1');
            way.swallows = true;
          }),
        ),
      ),
    );
    expect(swallowed).toEqual(['timeout', 'timeout']);
    way.swallows = false;
    // The first askers after the silence get an answer, not the remains of it.
    expect(await Promise.all([ask(database), ask(database)])).toEqual([[{ one: 1 }], [{ one: 1 }]]);
  });

  it('says so when it does not listen at all, or knows no such role', async () => {
    url = 'postgresql://a:b@127.0.0.1:1/none';
    expect(await failureOf(ask(open()))).toBe('connection');
    const wrong = new URL(db.worker);
    wrong.password = 'wrong';
    url = wrong.toString();
    expect(await failureOf(ask(open()))).toBe('connection');
  });
});
