import { createLog, type Database, openDatabase, type Tx } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { Selector } from './domain';
import { selections } from './selection.store';

const SELECTORS: readonly Selector[] = ['external_id', 'receipt_id', 'order_id', 'click_id', 'customer_id', 'email'];

describe('what a reversal selects', () => {
  const tenantId = randomUUID();
  let db: TestDatabase;
  let api: Database;
  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    api = openDatabase({ url: db.api, poolMax: 2, log: createLog('test', 'silent') });
    const admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    await admin.query(
      `INSERT INTO facts (tenant_id, fact_id, kind, receipt_id, external_id, body_hash, order_id, answer, data, received_at)
       SELECT $1::uuid, gen_random_uuid(), 'conversion', gen_random_uuid(), 'o' || i, gen_random_uuid(), 'of' || i, '{}', jsonb_build_object('clickId', md5(i::text), 'customerId', 'c' || i, 'emailHash', md5(i::text), 'test', false), now()
       FROM generate_series(1, 5000) AS i`,
      [tenantId],
    );
    await admin.query('ANALYZE facts');
    await admin.end();
  }, 60_000);
  afterAll(async () => {
    await api?.close();
    await db?.drop();
  }, 60_000);

  it.each(SELECTORS)('by %s is found by an index, under row-level security too: the tenant is held meanwhile', async (by) => {
    const plans: string[] = [];
    await api.transaction([tenantId], async (tx) => {
      const explaining = {
        $queryRawUnsafe: async (sql: string, ...values: unknown[]) => {
          const plan = await tx.$queryRawUnsafe<Record<string, string>[]>(`EXPLAIN ${sql}`, ...values);
          plans.push(plan.map((line) => line['QUERY PLAN']).join('\n'));
          return [];
        },
      } as unknown as Tx;
      await selections.selected(explaining, { by, value: by === 'receipt_id' ? randomUUID() : 'something', event: null }, false);
    });
    // Both are looked up in the index; a filter behind it would read all of the tenant's facts.
    const conditions = plans[0]?.split('\n').filter((line) => line.includes('Index Cond')) ?? [];
    expect(plans[0]).not.toMatch(/Seq Scan/);
    expect(conditions.length).toBeGreaterThan(0);
    for (const condition of conditions)
      expect(condition).toMatch(/tenant_id = .* AND \((external_id|receipt_id|order_id|click_id|customer_id|email_hash) = /);
  });
});
