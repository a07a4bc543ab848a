import { emit, ProgramChanged } from '@baton/contracts';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { Client } from 'pg';
import type { OutgoingMessage, Producer } from '../kafka/producer';
import { InfrastructureError } from '../ports';
import { createLog } from '../run/log';
import { type TestDatabase, testDatabase } from '../testing';
import { openDatabase } from './database';
import { migrate } from './migrate';
import { writeOutbox } from './outbox';
import { OutboxRelay } from './relay';

const log = createLog('test', 'silent');
const folder = join(__dirname, '../../prisma');

describe.each([false, true])('the Postgres half of the runtime (pipelined: %s)', (pipelined) => {
  let db: TestDatabase;
  const prefix = ownPrefix();
  const closing: (() => Promise<unknown>)[] = [];
  const worker = () => {
    const database = openDatabase({ url: db.worker, poolMax: 6, log, pipelined });
    closing.push(() => database.close());
    return database;
  };
  const admin = async () => {
    const client = new Client({ connectionString: db.adminUrl });
    await client.connect();
    closing.push(() => client.end());
    return client;
  };

  beforeAll(async () => {
    db = await testDatabase('attribution', { adminUrl: stores().postgresAdminUrl, prefix, folder });
  });
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(() => db.drop());

  const sample = ProgramChanged.sample;
  const program = (id: string, version: number) => emit(ProgramChanged, { ...sample, id, version });

  it('migrates once, also when several replicas start at once', async () => {
    expect(await Promise.all([1, 2, 3].map(() => migrate({ ownerUrl: db.owner, folder })))).toEqual([[], [], []]);
  });

  it('says which statement of which migration failed', async () => {
    await expect(migrate({ ownerUrl: db.owner.replace(/\/\/[^@]*@/, '//nobody:wrong@'), folder })).rejects.toThrow(
      /migrating .*prisma failed: .*(authentication|password)/,
    );
  });

  it('shows a transaction its own tenants alone, over interleaved pooled transactions', async () => {
    const database = worker();
    const tenants = [randomUUID(), randomUUID()];
    for (const tenant of tenants) {
      await database.transaction([tenant], (tx) =>
        tx.$executeRawUnsafe(
          `INSERT INTO catalog_entities (tenant_id, type, id, slot, version, state, data) VALUES ($1::uuid, 'partner', $2::uuid, 0, 1, 'active', '{}')`,
          tenant,
          randomUUID(),
        ),
      );
    }
    const seen = await Promise.all(
      Array.from({ length: 60 }, (_, i) => {
        const mine = i % 3 === 2 ? [] : [tenants[i % 3] as string];
        return database.transaction(mine, async (tx) => {
          const rows = await tx.$queryRawUnsafe<{ tenant_id: string }[]>('SELECT DISTINCT tenant_id FROM catalog_entities');
          return { mine, rows: rows.map((r) => r.tenant_id) };
        });
      }),
    );
    for (const { mine, rows } of seen) expect(rows).toEqual(mine);
    await expect(
      database.transaction([tenants[0] as string], (tx) =>
        tx.$executeRawUnsafe(
          `INSERT INTO catalog_entities (tenant_id, type, id, slot, version, state, data) VALUES ($1::uuid, 'partner', $2::uuid, 0, 1, 'active', '{}')`,
          tenants[1],
          randomUUID(),
        ),
      ),
    ).rejects.toThrow(/row-level security/);
  });

  it('runs a deadlocked transaction again', async () => {
    const database = worker();
    const tenant = randomUUID();
    const ids = [randomUUID(), randomUUID()].sort();
    await database.transaction([tenant], async (tx) => {
      for (const id of ids)
        await tx.$executeRawUnsafe(
          `INSERT INTO catalog_entities (tenant_id, type, id, slot, version, state, data) VALUES ($1::uuid, 'link', $2::uuid, 0, 1, 'active', '{}')`,
          tenant,
          id,
        );
    });
    const touch = (order: string[]) =>
      database.transaction([tenant], async (tx) => {
        for (const id of order) {
          await tx.$executeRawUnsafe(`UPDATE catalog_entities SET version = version + 1 WHERE id = $1::uuid`, id);
          await tx.$queryRawUnsafe('SELECT pg_sleep(0.3)::text');
        }
      });
    await Promise.all([touch(ids), touch([...ids].reverse())]);
    const rows = await database.transaction([tenant], (tx) =>
      tx.$queryRawUnsafe<{ version: number }[]>('SELECT version FROM catalog_entities'),
    );
    expect(rows.map((r) => r.version)).toEqual([3, 3]);
  });

  it('calls a terminated backend and an unreachable server the infrastructure’s fault', async () => {
    const database = worker();
    const other = await admin();
    const dying = database.untenanted((tx) => tx.$queryRawUnsafe('SELECT pg_sleep(20)::text'));
    const caught = dying.catch((error: unknown) => error);
    await eventually(
      async () =>
        (
          await other.query(
            `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(20)%' AND datname = current_database()`,
          )
        ).rowCount === 1,
    );
    expect(await caught).toBeInstanceOf(InfrastructureError);
    await database.ping();
    const nowhere = openDatabase({ url: 'postgresql://a:b@127.0.0.1:1/none', poolMax: 1, log, pipelined });
    closing.push(() => nowhere.close());
    await expect(nowhere.untenanted((tx) => tx.$queryRawUnsafe('SELECT 1'))).rejects.toBeInstanceOf(InfrastructureError);
    await expect(database.untenanted((tx) => tx.$queryRawUnsafe('SELECT nonsense'))).rejects.not.toBeInstanceOf(InfrastructureError);
  });

  it('gives numbers, texts, dates and JSON as they are meant, and takes them so', async () => {
    const [row] = await worker().untenanted((tx) =>
      tx.$queryRawUnsafe<object[]>(
        `SELECT $1::int AS whole, $2::bigint AS large, $3::float8 AS part, $4::text AS word, $5::boolean AS flag, $6::timestamptz AS at, $7::jsonb AS json, $8::text[] AS words, $9::uuid AS id, $10::text AS none`,
        7,
        9_007_199_254_740_993n,
        0.25,
        'ä"\\',
        true,
        new Date('2026-01-02T03:04:05.678Z'),
        JSON.stringify({ a: [1, null] }),
        ['x', 'y,"z'],
        '00000000-0000-4000-8000-000000000001',
        null,
      ),
    );
    expect(row).toEqual({
      whole: 7,
      large: 9_007_199_254_740_993n,
      part: 0.25,
      word: 'ä"\\',
      flag: true,
      at: new Date('2026-01-02T03:04:05.678Z'),
      json: { a: [1, null] },
      words: ['x', 'y,"z'],
      id: '00000000-0000-4000-8000-000000000001',
      none: null,
    });
  });

  it('keeps all of a transaction or nothing, also where its work asks for several things at once and one fails', async () => {
    const database = worker();
    const id = randomUUID();
    const insert = `INSERT INTO known_tenants (id) VALUES ($1::uuid)`;
    const count = async () =>
      (
        await database.untenanted((tx) =>
          tx.$queryRawUnsafe<{ n: number }[]>('SELECT count(*)::int AS n FROM known_tenants WHERE id = $1::uuid', id),
        )
      )[0]?.n;
    await expect(
      database.untenanted((tx) =>
        Promise.all([
          tx.$executeRawUnsafe(insert, id),
          tx.$queryRawUnsafe('SELECT 1 / $1::int', 0),
          tx.$executeRawUnsafe(insert, randomUUID()),
        ]),
      ),
    ).rejects.toThrow(/division by zero/);
    expect(await count()).toBe(0);
    // Work that does not hear of a failure has not done what it believes. (Prisma believes it.)
    const deaf = database.untenanted(async (tx) => {
      await tx.$executeRawUnsafe(insert, id);
      await tx.$queryRawUnsafe('SELECT 1 / $1::int', 0).catch(() => undefined);
    });
    if (pipelined) await expect(deaf).rejects.toThrow('failed unheard');
    else await deaf;
    expect(await count()).toBe(0);
    await expect(
      database.untenanted(async (tx) => {
        await tx.$executeRawUnsafe(insert, id);
        throw new Error('changed my mind');
      }),
    ).rejects.toThrow('changed my mind');
    expect(await count()).toBe(0);
    await database.untenanted((tx) => Promise.all([tx.$executeRawUnsafe(insert, id), tx.$queryRawUnsafe('SELECT 1')]));
    expect(await count()).toBe(1);
  });

  it('asks nothing for a transaction that is over: its connection is somebody else’s by then', async () => {
    const database = openDatabase({ url: db.worker, poolMax: 1, log, pipelined });
    closing.push(() => database.close());
    const id = randomUUID();
    let later: Promise<unknown> | undefined;
    let isOver: () => void = () => undefined;
    const over = new Promise<void>((resolve) => (isOver = resolve));
    await expect(
      database.untenanted((tx) => {
        later = over
          .then(() => tx.$executeRawUnsafe('INSERT INTO known_tenants (id) VALUES ($1::uuid)', id))
          .catch((error: Error) => error);
        return Promise.all([tx.$queryRawUnsafe('SELECT 1 / $1::int', 0), later]);
      }),
    ).rejects.toThrow(/division by zero/);
    const next = database.untenanted(async (tx) => {
      isOver();
      expect(await later).toBeInstanceOf(Error);
      return tx.$queryRawUnsafe<{ n: number }[]>('SELECT count(*)::int AS n FROM known_tenants WHERE id = $1::uuid', id);
    });
    expect(await next).toEqual([{ n: 0 }]);
  });

  if (pipelined)
    it('joins a batch to its table by index where that is asked for, also where the table is empty as far as is known', async () => {
      const nodes = async (joinsByIndex: boolean): Promise<string> => {
        const database = openDatabase({ url: db.worker, poolMax: 1, log, pipelined, joinsByIndex });
        closing.push(() => database.close());
        const plan = await database.untenanted((tx) =>
          tx.$queryRawUnsafe<Record<string, string>[]>(
            'EXPLAIN SELECT c.data FROM jsonb_to_recordset($1::jsonb) AS r(tenant uuid, id uuid) JOIN catalog_entities c ON c.tenant_id = r.tenant AND c.id = r.id',
            '[]',
          ),
        );
        return plan.map((row) => row['QUERY PLAN']).join('\n');
      };
      // The test could not fail where the planner does so by itself.
      expect(await nodes(false)).toContain('Hash Join');
      expect(await nodes(true)).toMatch(/Nested Loop[^]*Index Cond/);
    });

  if (pipelined)
    it('plans a prepared statement once, and by index, also where the figures speak against it', async () => {
      const database = openDatabase({ url: db.worker, poolMax: 1, log, pipelined });
      closing.push(() => database.close());
      // Bounds that are known rule most partitions out: figures that speak for planning anew.
      const bounded = 'SELECT count(*) FROM outbox WHERE created_at BETWEEN to_timestamp($1::float8) AND to_timestamp($2::float8)';
      for (let at = 1; at <= 12; at++) await database.untenanted((tx) => tx.$queryRawUnsafe(bounded, at, at + 1));
      const plans = await database.untenanted((tx) =>
        tx.$queryRawUnsafe(
          'SELECT generic_plans::int AS once, custom_plans::int AS anew FROM pg_prepared_statements WHERE statement = $1',
          bounded,
        ),
      );
      expect(plans).toEqual([{ once: 12, anew: 0 }]);
      // Nothing is cheaper than reading a table of one page from end to end.
      await database.untenanted((tx) => tx.$executeRawUnsafe('INSERT INTO known_tenants (id) VALUES ($1::uuid)', randomUUID()));
      await (await admin()).query('ANALYZE known_tenants');
      const [plan] = await database.untenanted((tx) =>
        tx.$queryRawUnsafe<Record<string, string>[]>('EXPLAIN SELECT FROM known_tenants WHERE id = $1::uuid', randomUUID()),
      );
      expect(plan?.['QUERY PLAN']).toContain('Index');
    });

  class Recorder implements Producer {
    readonly sent: string[] = [];
    async send(messages: readonly OutgoingMessage[]): Promise<void> {
      for (const m of messages) this.sent.push(String(m.key));
    }
    async close(): Promise<void> {}
  }
  const relay = async (producer: Producer) => {
    const part = new OutboxRelay({ service: 'test', url: db.worker, database: worker(), producer, log });
    await part.start();
    closing.push(() => part.stop());
    return part;
  };

  it('loses no row whose transaction commits after a later one', async () => {
    const producer = new Recorder();
    await relay(producer);
    const database = worker();
    const [early, late] = [randomUUID(), randomUUID()];
    let release!: () => void;
    const barrier = new Promise<void>((resolve) => (release = resolve));
    let inserted!: () => void;
    const written = new Promise<void>((resolve) => (inserted = resolve));
    const slow = database.untenanted(async (tx) => {
      await writeOutbox(tx, [program(early, 1)]);
      inserted();
      await barrier;
    });
    await written;
    await database.untenanted((tx) => writeOutbox(tx, [program(late, 1)]));
    await eventually(() => producer.sent.some((key) => key.includes(late)));
    release();
    await slow;
    await eventually(() => producer.sent.some((key) => key.includes(early)));
    expect(producer.sent).toHaveLength(2);
  });

  it('has one active relay; when it goes, the other takes over', async () => {
    const [one, two] = [new Recorder(), new Recorder()];
    const first = await relay(one);
    const database = worker();
    await database.untenanted((tx) => writeOutbox(tx, [program(randomUUID(), 1)]));
    await eventually(() => one.sent.length === 1);
    await relay(two);
    for (let i = 0; i < 20; i++) await database.untenanted((tx) => writeOutbox(tx, [program(randomUUID(), 1)]));
    await eventually(() => one.sent.length === 21);
    expect(two.sent).toHaveLength(0);
    await first.stop();
    await database.untenanted((tx) => writeOutbox(tx, [program(randomUUID(), 1)]));
    await eventually(() => two.sent.length === 1);
  });
});
