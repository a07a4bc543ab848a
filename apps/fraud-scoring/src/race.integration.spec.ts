import type { Outgoing } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores as testStores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { type CreditedClick, PostgresClickStore } from './click.store';
import { at, attribution, burst, click, conversionIdOf } from './testing/facts';
import { heldAt, newestVerdicts, postgresStores, type World, world } from './testing/world';

/** Two batches that meet, and what both conversions must be judged in the end, whoever came first. */
interface Meeting {
  readonly before: (tenant: string) => Outgoing[];
  readonly first: (tenant: string) => Outgoing[];
  readonly second: (tenant: string) => Outgoing[];
}

const NINETEEN = (t: string): Outgoing[] => burst(t, at(0), 19);
const AWAY = { addressHash: 'elsewhere', network: '198.51.100.0/24' };

const MEETINGS: Record<string, Meeting> = {
  'a click and an attribution of the same address': {
    before: NINETEEN,
    first: (t) => [click(t, at(-1))],
    second: (t) => [attribution(t, 'o1', 1, at(0))],
  },
  'a click and the first attribution of an address that nobody saw before': {
    before: () => [],
    first: (t) => burst(t, at(0), 20),
    second: (t) => [attribution(t, 'o1', 1, at(0))],
  },
  'two clicks of the same address': {
    before: (t) => [...burst(t, at(0), 18), attribution(t, 'o1', 1, at(0)), attribution(t, 'o2', 1, at(0))],
    first: (t) => [click(t, at(-1))],
    second: (t) => [click(t, at(-2))],
  },
  // They hold nothing in common but the judgement itself.
  'a click of the same address elsewhere and one of the same network': {
    before: (t) => [...burst(t, at(0), 20), attribution(t, 'o1', 1, at(0))],
    first: (t) => [click(t, at(-1), 0, { network: AWAY.network })],
    second: (t) => [click(t, at(-2), 0, { addressHash: AWAY.addressHash })],
  },
  'the same click twice': {
    before: (t) => [...burst(t, at(0), 18), attribution(t, 'o1', 1, at(0))],
    first: (t) => [click(t, at(-1))],
    second: (t) => [click(t, at(-1)), click(t, at(-2))],
  },
  'two revisions of one conversion, of which the newer credits another address': {
    before: (t) => [...NINETEEN(t), click(t, at(-1)), attribution(t, 'o1', 1, null)],
    first: (t) => [attribution(t, 'o1', 2, at(0))],
    second: (t) => [attribution(t, 'o1', 3, at(0), AWAY)],
  },
  'a click of the address that a revision leaves': {
    before: (t) => [
      ...NINETEEN(t),
      attribution(t, 'o1', 1, at(0)),
      ...burst(t, at(0), 20, AWAY).map((_, i) => click(t, at(0) - i, 9, AWAY)),
    ],
    first: (t) => [click(t, at(-1))],
    second: (t) => [attribution(t, 'o1', 2, at(0), AWAY)],
  },
  'a click of the address that a revision comes to': {
    before: (t) => [...NINETEEN(t), attribution(t, 'o1', 1, at(0), AWAY)],
    first: (t) => [click(t, at(-1))],
    second: (t) => [attribution(t, 'o1', 2, at(0))],
  },
};

describe('two batches that meet', () => {
  let db: TestDatabase;
  let admin: Client;
  const open: World[] = [];
  const replica = (stores = postgresStores()): World => {
    const opened = world(db.worker, stores);
    open.push(opened);
    return opened;
  };

  beforeAll(async () => {
    db = await testDatabase('fraud-scoring', { adminUrl: testStores().postgresAdminUrl, prefix: ownPrefix() });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    for (const opened of open) await opened.close();
    await admin?.end();
    await db?.drop();
  });

  /** How many wait for a lock of another's, as the database itself sees it. */
  const blockedCount = async (client = admin): Promise<number> => {
    const { rows } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND cardinality(pg_blocking_pids(pid)) > 0`,
    );
    return rows[0]?.count ?? 0;
  };

  /** The newest verdict of each conversion, without how many it took. */
  const ends = (tenant: string, verdicts: Parameters<typeof newestVerdicts>[0]): string => {
    const newest = newestVerdicts(verdicts);
    return JSON.stringify(
      ['o1', 'o2'].map((name) => {
        const { attributionRevision, decision, score, reasons } = newest.get(conversionIdOf(tenant, name)) ?? {};
        return [attributionRevision, decision, score, reasons?.map(({ detail }) => Object.values(detail).sort())];
      }),
    );
  };

  /** Holds one batch before each of its statements in turn, lets the other run as far as it comes, and compares with one after the other. */
  async function everyInterleaving(a: World, b: World, { before, first, second }: Meeting) {
    const calm = randomUUID();
    const calmly = [];
    for (const facts of [before(calm), first(calm), second(calm)]) if (facts.length > 0) calmly.push(...(await a.deliver(facts)).verdicts);
    const expected = ends(calm, calmly);
    const wrong: string[] = [];
    let retries = 0;
    let tried = 0;
    for (const [held, other] of [
      [first, second],
      [second, first],
    ] as const) {
      for (let statement = 0; ; statement++) {
        const tenant = randomUUID();
        const early = before(tenant);
        const verdicts = early.length > 0 ? (await a.deliver(early)).verdicts : [];
        const { wrap, reached, go } = heldAt(statement);
        const one = a.deliver(held(tenant), wrap);
        const isHeld = await Promise.race([reached.then(() => true), one.then(() => false)]);
        if (!isHeld) break;
        const two = b.deliver(other(tenant));
        let isDone = false;
        void two.finally(() => (isDone = true)).catch(() => undefined);
        await eventually(async () => isDone || (await blockedCount()) > 0, 5_000, 2);
        go();
        for (const done of await Promise.all([one, two])) {
          retries += done.attempts - 1;
          verdicts.push(...done.verdicts);
        }
        const found = ends(tenant, verdicts);
        if (found !== expected) wrong.push(`held before statement ${statement}: ${found} instead of ${expected}`);
        tried++;
      }
    }
    return { expected, wrong, retries, tried };
  }

  it.each(Object.keys(MEETINGS))(
    '%s: the same end, however they interleave, and no deadlock',
    async (name) => {
      const { wrong, retries, tried } = await everyInterleaving(replica(), replica(), MEETINGS[name] as Meeting);
      expect({ wrong, retries }).toEqual({ wrong: [], retries: 0 });
      expect(tried).toBeGreaterThan(6);
    },
    120_000,
  );

  it('holds for the click that meets the attribution: it is counted', async () => {
    const { expected } = await everyInterleaving(
      replica(),
      replica(),
      MEETINGS['a click and an attribution of the same address'] as Meeting,
    );
    expect(expected).toBe('[[1,"held",50,[["10","20","20","20"]]],[null,null,null,null]]');
  }, 120_000);

  it.each([
    [
      'the address were not held',
      class extends PostgresClickStore {
        override hold = (): Promise<void> => Promise.resolve();
      },
    ],
    [
      'it were counted before the address is held, as one statement for both would',
      class extends PostgresClickStore {
        private readonly early = new WeakMap<Tx, Promise<Awaited<ReturnType<PostgresClickStore['counts']>>>>();
        override async hold(tx: Tx, credited: readonly CreditedClick[]): Promise<void> {
          this.early.set(tx, super.counts(tx, credited));
          await this.early.get(tx);
          await super.hold(tx, credited);
        }
        override counts(tx: Tx, credited: readonly CreditedClick[]) {
          return this.early.get(tx) ?? super.counts(tx, credited);
        }
      },
    ],
  ])(
    'would miss a click for ever if %s: the same interleavings show it',
    async (_name, Careless) => {
      const careless = () => replica({ ...postgresStores(), clicks: new Careless() });
      const meeting = MEETINGS['a click and an attribution of the same address'] as Meeting;
      const { wrong } = await everyInterleaving(careless(), careless(), meeting);
      expect(wrong.length).toBeGreaterThan(0);
    },
    120_000,
  );

  /** Another session stands on the middle one of three keys; both batches come to it from their own side. Sorted, they queue; else they deadlock. */
  it.each<[string, string, (tenant: string) => Outgoing[], (tenant: string) => Outgoing[]]>([
    [
      'known addresses',
      `SELECT FROM addresses WHERE tenant_id = $1 AND key = 'address:m' FOR UPDATE`,
      (t) => ['a', 'm', 'z'].map((addressHash, i) => click(t, at(i), 1, { addressHash, network: null })),
      (t) => ['a', 'm', 'z'].map((addressHash, i) => click(t, at(i), Math.floor(Math.random() * 1e9), { addressHash, network: null })),
    ],
    [
      'new addresses',
      `INSERT INTO addresses (tenant_id, key) VALUES ($1, 'address:m')`,
      () => [],
      (t) => ['a', 'm', 'z'].map((addressHash, i) => click(t, at(i), Math.floor(Math.random() * 1e9), { addressHash, network: null })),
    ],
    [
      'judgements',
      `SELECT FROM judgements WHERE tenant_id = $1 AND conversion_id = (SELECT conversion_id FROM judgements WHERE tenant_id = $1 ORDER BY 1 OFFSET 1 LIMIT 1) FOR UPDATE`,
      (t) => ['a', 'm', 'z'].map((name) => attribution(t, name, 1, null)),
      (t) => ['a', 'm', 'z'].map((name) => attribution(t, name, 2 + Math.floor(Math.random() * 1e6), null)),
    ],
  ])('%s: taken in the order of their keys, so that opposite batches queue and do not deadlock', async (_name, stand, before, facts) => {
    const [a, b] = [replica(), replica()];
    const tenant = randomUUID();
    const early = before(tenant);
    if (early.length > 0) await a.deliver(early);
    await admin.query('BEGIN');
    await admin.query(stand, [tenant]);
    const both = [a.deliver(facts(tenant)), b.deliver(facts(tenant).reverse())];
    const watcher = new Client({ connectionString: db.adminUrl });
    await watcher.connect();
    await eventually(async () => (await blockedCount(watcher)) === 2, 5_000, 5);
    await admin.query('ROLLBACK');
    expect((await Promise.all(both)).map(({ attempts }) => attempts)).toEqual([1, 1]);
    await watcher.end();
  });
});
