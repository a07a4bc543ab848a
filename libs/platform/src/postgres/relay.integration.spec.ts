import { eventually as eventuallyWithin, ownPrefix, stores } from '@baton/testing';
import { join } from 'node:path';
import { Client } from 'pg';
import { type OutgoingMessage, type Producer, UnsendableMessage } from '../kafka/producer';
import { type Database, InfrastructureError, type Tx } from '../ports';
import { createLog } from '../run/log';
import { type TestDatabase, testDatabase } from '../testing';
import { openDatabase } from './database';
import { OutboxRelay } from './relay';
import { Lead } from './relay-lead';
import { mark, unpublished, waitingRows } from './relay-rows';

// A database is made and migrated: seconds, where the machine is busy.
jest.setTimeout(60_000);
const eventually = <T>(check: () => T | Promise<T>, deadlineMs = 30_000, everyMs = 25) => eventuallyWithin(check, deadlineMs, everyMs);

const log = createLog('test', 'silent');
const folder = join(__dirname, '../../prisma');

/** Keeps what was sent in the order in which a topic would; `before` is where a request can be held up or refused on its way. */
class Wire {
  readonly topic: string[] = [];
  readonly requests: OutgoingMessage[][] = [];
  producer(before: (messages: readonly OutgoingMessage[]) => Promise<void> = async () => undefined): Producer {
    return {
      send: async (messages) => {
        await before(messages);
        this.requests.push([...messages]);
        this.topic.push(...messages.map((m) => `${String(m.key)}:${String(m.value)}`));
      },
      close: async () => undefined,
    };
  }
}

function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

interface PlanNode {
  readonly 'Node Type': string;
  readonly Plans?: readonly PlanNode[];
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

describe('the outbox relay', () => {
  let db: TestDatabase;
  let admin: Client;
  const closing: (() => Promise<unknown>)[] = [];
  const open = (pipelined = false) => {
    const database = openDatabase({ url: db.worker, poolMax: 6, log, pipelined });
    closing.push(() => database.close());
    return database;
  };
  const write = (key: string, value: string) =>
    admin.query(`INSERT INTO outbox (topic, key, headers, value) VALUES ('baton.rewards.v1', $1, '{}', $2)`, [key, value]);
  const relay = async (service: string, producer: Producer, database = open()) => {
    const part = new OutboxRelay({ service, url: db.worker, database, producer, log });
    await part.start();
    closing.push(() => part.stop());
    return part;
  };
  const cutOff = (service: string) =>
    admin.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1 AND datname = current_database()`, [
      `${service} relay`,
    ]);
  const unsent = async () => Number((await admin.query('SELECT count(*) FROM outbox WHERE published_at IS NULL')).rows[0].count);

  beforeAll(async () => {
    db = await testDatabase('attribution', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix(), folder });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
  });
  beforeEach(() => admin.query('TRUNCATE outbox'));
  afterEach(async () => {
    for (const close of closing.splice(0).reverse()) await close();
  });
  afterAll(async () => {
    await admin.end();
    await db.drop();
  });

  it('takes over when the leader loses its connection, and the topic ends with the newest version though the old leader delivers late', async () => {
    const wire = new Wire();
    const [held, go] = [gate(), gate()];
    let first = true;
    await relay(
      'one',
      wire.producer(async () => {
        if (!first) return;
        first = false;
        held.open();
        await go.opened;
      }),
    );
    await write('k', 'v1');
    await held.opened;
    // Version 1 is on its way and hangs. The leader is cut off; the other leads, and sends both versions.
    await relay('two', wire.producer());
    await cutOff('one');
    await eventually(() => wire.topic.includes('k:v1'));
    await write('k', 'v2');
    await eventually(async () => wire.topic.includes('k:v2') && (await unsent()) === 0);
    expect(wire.topic).toEqual(['k:v1', 'k:v2']);
    // Now the old one's request arrives, behind version 2.
    go.open();
    await eventually(() => wire.topic.length >= 4 && wire.topic.at(-1) === 'k:v2');
    expect(wire.topic).toEqual(['k:v1', 'k:v2', 'k:v1', 'k:v2']);
  });

  it('sends both again where the old leader delivers late while the new one is sending a still newer version', async () => {
    const database = open();
    for (const version of ['v1', 'v2']) await write('k', version);
    const [v1, v2] = await unpublished(database, [], 10, 1_000);
    await mark(database, [v1!, v2!]);
    await write('k', 'v3');
    const newLeader = await unpublished(database, [], 10, 1_000);
    expect(newLeader.map((row) => row.value)).toEqual(['v3']);
    // The old leader marks its late version 1 between the new leader's send and its mark.
    expect(await mark(database, [v1!])).toBe(1);
    await mark(database, newLeader);
    expect((await unpublished(database, [], 10, 1_000)).map((row) => row.value)).toEqual(['v2', 'v3']);
  });

  it('takes more together while much comes: a round costs as much for a dozen rows as for a hundred', async () => {
    const wire = new Wire();
    await relay('paced', wire.producer(), open(true));
    await write('k', 'first');
    await eventually(() => wire.topic.length === 1);
    const startedMs = performance.now();
    for (let n = 0; n < 200; n++)
      await admin.query(
        `INSERT INTO outbox (topic, key, headers, value) SELECT 'baton.rewards.v1', 'k', '{}', 'v' FROM generate_series(1, 20)`,
      );
    await eventually(() => wire.topic.length === 4_001, 30_000, 5);
    expect(wire.requests.length - 1).toBeLessThanOrEqual((performance.now() - startedMs) / 8 + 2);
  });

  it('walks the index of what is unsent whatever the figures say: meets nothing that was sent before, and sorts no backlog', async () => {
    // Figures of an hour that has just begun, and what they lead to once it is busy.
    await admin.query('ANALYZE outbox');
    await admin.query(
      `INSERT INTO outbox (topic, key, headers, value, published_at)
       SELECT 'baton.rewards.v1', n::text, '{}', repeat('v', 800), CASE WHEN n <= 3000 THEN now() END FROM generate_series(1, 5000) AS n`,
    );
    const database = open();
    const rows = await unpublished(database, [], 1_000, 4_000_000);
    expect(rows.map((row) => row.key)).toEqual(Array.from({ length: 1_000 }, (_, at) => String(3_001 + at)));
    const nodes: PlanNode[] = [];
    const explaining: Database = {
      ...database,
      untenanted: (work) =>
        database.untenanted((tx) => {
          const explain = async (sql: string, ...values: unknown[]): Promise<unknown> => {
            // What says how to plan is carried out.
            if (sql.includes('set_config')) return tx.$queryRawUnsafe(sql, ...values).then((done) => done);
            const [row] = await tx.$queryRawUnsafe<{ 'QUERY PLAN': { Plan: PlanNode }[] }[]>(`EXPLAIN (FORMAT JSON) ${sql}`, ...values);
            nodes.push(...(row?.['QUERY PLAN'] ?? []).flatMap(({ Plan }) => nodesOf(Plan)));
            // As if all of them had been marked.
            return rows;
          };
          return work({ ...tx, $queryRawUnsafe: explain as unknown as Tx['$queryRawUnsafe'], $executeRawUnsafe: async () => 0 });
        }),
    };
    const scansOf = async (asked: Promise<unknown>): Promise<string[]> => {
      await asked;
      return [...new Set(nodes.splice(0).map((node) => node['Node Type']))]
        .filter((type) => /^(Seq|Index|Bitmap).*Scan$|Sort$/.test(type))
        .sort();
    };
    expect({
      unpublished: await scansOf(unpublished(explaining, [], 1_000, 4_000_000)),
      waiting: await scansOf(waitingRows(explaining)),
      mark: await scansOf(mark(explaining, rows)),
    }).toEqual({ unpublished: ['Index Scan'], waiting: ['Index Scan'], mark: ['Index Scan'] });
  });

  it('leads no more after a freeze that outlasts what the server promised, though its last question was answered', async () => {
    const lead = new Lead(db.worker, 'frozen relay');
    closing.push(() => lead.drop());
    expect(await lead.take()).toBe(true);
    expect(await lead.confirm()).toBeGreaterThan(4_000);
    const answer = lead.confirm();
    // The whole process stands still between the question and its answer.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 6_200);
    await expect(answer).rejects.toBeInstanceOf(InfrastructureError);
    expect(lead.isHeld).toBe(false);
  });

  it('lets another lead within seconds when the leader has fallen silent', async () => {
    const [silent, other] = [new Lead(db.worker, 'silent relay'), new Lead(db.worker, 'other relay')];
    closing.push(
      () => silent.drop(),
      () => other.drop(),
    );
    expect(await silent.take()).toBe(true);
    expect(await other.take()).toBe(false);
    await eventually(() => other.take(), 30_000, 500);
    await expect(silent.confirm()).rejects.toBeInstanceOf(InfrastructureError);
  });

  it('stops the key of a message that Kafka refuses, and no other; goes on with it in order when Kafka takes it', async () => {
    const wire = new Wire();
    let refuses = true;
    for (let i = 0; i < 40; i++) await write(`k${i % 8}`, `${Math.floor(i / 8)}`);
    await relay(
      'one',
      wire.producer(async (messages) => {
        if (refuses && messages.some((m) => m.key === 'k3' && m.value === '1')) throw new UnsendableMessage('MESSAGE_TOO_LARGE');
      }),
    );
    await eventually(async () => (await unsent()) === 4);
    expect(wire.topic.filter((m) => m.startsWith('k3:'))).toEqual(['k3:0']);
    expect(new Set(wire.topic).size).toBe(36);
    refuses = false;
    await eventually(async () => (await unsent()) === 0);
    expect(wire.topic.filter((m) => m.startsWith('k3:'))).toEqual(['k3:0', 'k3:1', 'k3:2', 'k3:3', 'k3:4']);
    for (let k = 0; k < 8; k++)
      expect([...new Set(wire.topic.filter((m) => m.startsWith(`k${k}:`)))]).toEqual([0, 1, 2, 3, 4].map((v) => `k${k}:${v}`));
  });

  it('goes on after Kafka failed, and loses nothing', async () => {
    const wire = new Wire();
    let failures = 3;
    await write('k', 'v1');
    await relay(
      'one',
      wire.producer(async () => {
        if (failures-- > 0) throw new InfrastructureError('kafka', 'timeout');
      }),
    );
    await write('k', 'v2');
    await eventually(async () => (await unsent()) === 0);
    expect(wire.topic).toEqual(['k:v1', 'k:v2']);
  });

  it('takes no more than a few megabytes at once, however large the rows', async () => {
    await admin.query(
      `INSERT INTO outbox (topic, key, headers, value) SELECT 'baton.rewards.v1', 'k' || n, '{}', repeat('x', 250000) FROM generate_series(1, 60) AS n ORDER BY n`,
    );
    const wire = new Wire();
    await relay('one', wire.producer());
    await eventually(async () => (await unsent()) === 0);
    expect(wire.topic).toHaveLength(60);
    expect(Math.max(...wire.requests.map((request) => request.length))).toBeLessThanOrEqual(17);
  });

  it('lets nobody who writes wait while it makes partitions', async () => {
    await admin.query(
      `DO $$ DECLARE part text; BEGIN FOR part IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'outbox'::regclass AND inhrelid::regclass::text <> 'outbox_default' LOOP EXECUTE 'DROP TABLE ' || part; END LOOP; END $$`,
    );
    const writer = new Client({ connectionString: db.adminUrl });
    await writer.connect();
    closing.push(() => writer.end());
    await admin.query(`SELECT baton_outbox_maintain()`).catch(() => undefined);
    await admin.query(`DROP TABLE outbox_${new Date(Date.now() + 3 * 3_600_000).toISOString().replace(/[-T]/g, '').slice(0, 10)}`);
    await writer.query(`BEGIN; INSERT INTO outbox (topic, key, headers, value) VALUES ('t', 'k', '{}', 'v')`);
    await open().untenanted((tx) => tx.$queryRawUnsafe('SELECT baton_outbox_maintain()'));
    await writer.query('COMMIT');
    const { rows } = await admin.query(`SELECT count(*)::int AS parts FROM pg_inherits WHERE inhparent = 'outbox'::regclass`);
    expect(rows[0].parts).toBe(5);
  });

  it('drops a partition that is over when all of it was sent, and not before', async () => {
    const old = new Date(Date.now() - 30 * 3_600_000);
    old.setUTCMinutes(0, 0, 0);
    const name = `outbox_${old.toISOString().replace(/[-T]/g, '').slice(0, 10)}`;
    await admin.query(`SET ROLE baton_attribution_owner`);
    await admin.query(
      `CREATE TABLE ${name} PARTITION OF outbox FOR VALUES FROM ('${old.toISOString()}') TO ('${new Date(old.getTime() + 3_600_000).toISOString()}')`,
    );
    await admin.query('RESET ROLE');
    await admin.query(`INSERT INTO outbox (created_at, topic, key, headers, value) VALUES ($1, 't', 'k', '{}', 'v')`, [
      new Date(old.getTime() + 60_000),
    ]);
    const maintain = async () =>
      (await open().untenanted((tx) => tx.$queryRawUnsafe<{ dropped: number }[]>('SELECT baton_outbox_maintain() AS dropped')))[0]!.dropped;
    expect(await maintain()).toBe(0);
    await admin.query(`UPDATE outbox SET published_at = now()`);
    expect(await maintain()).toBe(1);
    expect((await admin.query('SELECT to_regclass($1) AS name', [name])).rows[0].name).toBeNull();
  });
});
