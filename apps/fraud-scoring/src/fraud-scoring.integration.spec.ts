import { type Outgoing, type VerdictGivenData } from '@baton/contracts';
import { migrate, type Tx } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { ADDRESS, at, attribution, burst, click, NETWORK } from './testing/facts';
import { type World, type Wrap, world } from './testing/world';

describe('the migration to months', () => {
  it('carries the clicks of before over, each into its month, and leaves the policies as they were', async () => {
    const prisma = join(__dirname, '../prisma');
    const before = await mkdtemp(join(tmpdir(), 'baton-'));
    await cp(join(prisma, 'schema.prisma'), join(before, 'schema.prisma'));
    for (const name of ['00000000000001_ground', '00000000000002_fraud_scoring'])
      await cp(join(prisma, 'migrations', name), join(before, 'migrations', name), { recursive: true });
    const db = await testDatabase('fraud-scoring', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix(), folder: before });
    const admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    try {
      await admin.query(
        `INSERT INTO clicks (tenant_id, click_id, occurred_at) SELECT gen_random_uuid(), 'c' || n, now() - n * interval '20 days' FROM generate_series(0, 9) n`,
      );
      await migrate({ ownerUrl: db.owner, folder: prisma });
      const { rows } = await admin.query(
        `SELECT count(*)::int AS count, count(*) FILTER (WHERE tableoid = 'clicks_default'::regclass)::int AS stray FROM clicks`,
      );
      expect(rows).toEqual([{ count: 10, stray: 0 }]);
      const forced = await admin.query(`SELECT relforcerowsecurity AS forced FROM pg_class WHERE relname = 'clicks'`);
      expect(forced.rows).toEqual([{ forced: true }]);
    } finally {
      await admin.end();
      await db.drop();
      await rm(before, { recursive: true });
    }
  }, 60_000);
});

const said = ({ attributionRevision, verdictSeq, decision, reasons }: VerdictGivenData) => [
  attributionRevision,
  verdictSeq,
  decision,
  ...reasons.map(({ rule, detail }) => `${rule} ${detail['same_address']} ${detail['same_network']}`),
];

/** Counts what a batch asks of the database. */
function statements(): { readonly counting: Wrap; readonly count: () => number } {
  let count = 0;
  const counting: Wrap = (tx) => ({
    $queryRawUnsafe: (sql, ...values) => (count++, tx.$queryRawUnsafe(sql, ...values)),
    $executeRawUnsafe: (sql, ...values) => (count++, tx.$executeRawUnsafe(sql, ...values)),
  });
  return { counting, count: () => count };
}

describe('fraud-scoring on Postgres', () => {
  let db: TestDatabase;
  let admin: Client;
  let one: World;
  let tenant: string;
  const given = async (...facts: Outgoing[]) => (await one.deliver(facts)).verdicts;

  beforeAll(async () => {
    db = await testDatabase('fraud-scoring', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    one = world(db.worker);
  }, 60_000);
  afterAll(async () => {
    await one?.close();
    await admin?.end();
    await db?.drop();
  });
  beforeEach(() => {
    tenant = randomUUID();
  });

  it('counts a click once, however often it is delivered, in one batch and in many', async () => {
    const clicks = burst(tenant, at(0), 19);
    await given(...clicks, ...clicks);
    await given(...clicks);
    expect((await given(attribution(tenant, 'o', 1, at(0)))).map(said)).toEqual([[1, 1, 'approved']]);
    expect((await given(click(tenant, at(-1)))).map(said)).toEqual([[1, 2, 'held', 'click-burst 20 20']]);
    const { counting, count } = statements();
    expect((await one.deliver([click(tenant, at(-1)), ...clicks], counting)).verdicts).toEqual([]);
    // Nothing new: nobody is held, nothing is judged again.
    expect(count()).toBe(1);
  });

  it('judges a revision once and passes over one that is older or the same', async () => {
    const second = attribution(tenant, 'o', 2, at(0));
    expect((await given(attribution(tenant, 'o', 1, at(0)), second, second)).map(said)).toEqual([[2, 1, 'approved']]);
    expect(await given(second)).toEqual([]);
    expect(await given(attribution(tenant, 'o', 1, at(0)))).toEqual([]);
    expect((await given(attribution(tenant, 'o', 3, null))).map(said)).toEqual([[3, 1, 'approved']]);
  });

  it('gives the next verdict of a revision, with the attribution inside, when a late click changes it; else none', async () => {
    await given(...burst(tenant, at(0), 18));
    const revised = attribution(tenant, 'o', 4, at(0));
    await given(revised);
    expect(await given(click(tenant, at(-30)))).toEqual([]);
    const [verdict, ...more] = await given(click(tenant, at(-31)));
    expect(more).toEqual([]);
    expect(verdict).toMatchObject({ attributionRevision: 4, verdictSeq: 2, decision: 'held', score: 50, attribution: revised.data });
  });

  it('counts the ten minutes that end with the credited click, to the millisecond, and no other address or tenant', async () => {
    await given(...burst(tenant, at(0), 19), attribution(tenant, 'o', 1, at(0)));
    const elsewhere = { addressHash: 'other', network: '198.51.100.0/24' };
    expect(
      await given(click(tenant, at(0) + 1), click(tenant, at(-600)), click(tenant, at(-1), 0, elsewhere), click(randomUUID(), at(-1))),
    ).toEqual([]);
    expect((await given(click(tenant, at(-600) + 1))).map(said)).toEqual([[1, 2, 'held', 'click-burst 20 20']]);
  });

  it('counts by network alone where the address is not known, and has nothing to count where neither is', async () => {
    await given(...burst(tenant, at(0), 300, { addressHash: null }));
    const judged = await given(
      attribution(tenant, 'network', 1, at(0), { addressHash: null }),
      attribution(tenant, 'address', 1, at(0), { network: null }),
      attribution(tenant, 'neither', 1, at(0), { addressHash: null, network: null }),
    );
    expect(new Map(judged.map((verdict) => [verdict.attribution.conversion.externalId, said(verdict).slice(2)]))).toEqual(
      new Map([
        ['network', ['held', 'click-burst 0 300']],
        ['address', ['approved']],
        ['neither', ['approved']],
      ]),
    );
  });

  it('leaves a judgement alone when its counts are at their most: a flood of clicks is not a flood of verdicts', async () => {
    await given(...burst(tenant, at(0), 999), attribution(tenant, 'o', 1, at(0)));
    expect((await given(...burst(tenant, at(-60), 500))).map(said)).toEqual([[1, 2, 'held', 'click-burst 1000 1000']]);
    const { counting, count } = statements();
    const { verdicts } = await one.deliver(burst(tenant, at(-120), 500), counting);
    // Stored, held, and asked whom they touch: nobody, so nothing is counted again.
    expect([verdicts, count()]).toEqual([[], 4]);
  });

  it('forgets nothing that it counted when the month of the clicks is dropped, and starts anew for another click', async () => {
    const longAgo = Date.now() - 200 * 86_400_000;
    await given(...burst(tenant, longAgo, 20), attribution(tenant, 'o', 1, longAgo));
    const worker = new Client({ connectionString: db.worker });
    await worker.connect();
    await worker.query('SELECT keep_click_months(1)').finally(() => worker.end());
    expect((await admin.query('SELECT FROM clicks WHERE tenant_id = $1', [tenant])).rowCount).toBe(0);
    expect((await given(attribution(tenant, 'o', 2, longAgo))).map(said)).toEqual([[2, 1, 'held', 'click-burst 20 20']]);
    expect((await given(attribution(tenant, 'o', 3, longAgo + 1))).map(said)).toEqual([[3, 1, 'approved']]);
  });

  it('refuses a click whose time is not the one in its id', async () => {
    await expect(given(click(tenant, at(0), 0, { occurredAt: new Date(at(1)).toISOString() }))).rejects.toThrow(
      /schema: click .* not the time in its id/,
    );
  });

  it('finds clicks and judgements by their indexes, in the months that are asked for alone, as the worker sees them', async () => {
    await admin.query(
      `INSERT INTO clicks (tenant_id, click_id, address_hash, network, occurred_at)
       SELECT $1, 'c' || n, CASE WHEN n % 10 = 0 THEN $2 ELSE 'a' || n END, $3, now() - n * interval '1 minute' FROM generate_series(1, 50000) n`,
      [tenant, ADDRESS, NETWORK],
    );
    await admin.query(
      `INSERT INTO judgements (tenant_id, conversion_id, attribution_revision, verdict_seq, attribution, address_hash, network, clicked_at)
       SELECT $1, gen_random_uuid(), 1, 1, '{}', 'a' || n, 'n' || n, now() - n * interval '1 minute' FROM generate_series(1, 50000) n`,
      [tenant],
    );
    await admin.query(`INSERT INTO addresses (tenant_id, key) SELECT $1, 'address:' || n FROM generate_series(1, 50000) n`, [tenant]);
    const plans: string[] = [];
    const explain = async (tx: Tx, sql: string, values: unknown[]): Promise<void> => {
      if (/^(SET|INSERT)/.test(sql)) return;
      const plan = await tx.$queryRawUnsafe<Record<string, string>[]>(`EXPLAIN (ANALYZE, TIMING OFF) ${sql}`, ...values);
      plans.push(plan.map((row) => row['QUERY PLAN']).join('\n'));
    };
    const explaining: Wrap = (tx) => ({
      $executeRawUnsafe: async (sql, ...values) => (await explain(tx, sql, values), tx.$executeRawUnsafe(sql, ...values)),
      $queryRawUnsafe: async (sql, ...values) => (await explain(tx, sql, values), tx.$queryRawUnsafe(sql, ...values)),
    });
    const clickedMs = Date.now() - 3_600_000;
    await one.deliver([attribution(tenant, 'o', 1, clickedMs)], explaining);
    await one.deliver([...burst(tenant, clickedMs - 1, 20)], explaining);
    if (process.env['SHOW_PLANS']) console.log(plans.join('\n\n'));
    // Held, counted and saved; held, touched, counted and saved.
    expect(plans).toHaveLength(7);
    const rowsRead = plans.flatMap((plan) =>
      [...plan.matchAll(/(?:actual rows=|Rows Removed by [A-Za-z ]+: )(\d+)/g)].map(([, rows]) => Number(rows)),
    );
    expect(Math.max(...rowsRead)).toBeLessThan(100);
  });
});
