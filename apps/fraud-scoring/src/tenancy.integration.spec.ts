import { testDatabase } from '@baton/platform/testing';
import { checkTenancy, ownPrefix, stores } from '@baton/testing';
import { Client } from 'pg';

describe('tenancy', () => {
  it('shows each runtime role its own tenants alone, in every table and every month of clicks', async () => {
    const db = await testDatabase('fraud-scoring', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    try {
      // A month made later must be as closed as those of the migration: those that start with it are dropped, and made again by the worker.
      const worker = new Client({ connectionString: db.worker });
      await worker.connect();
      const { rows } = await worker.query<{ dropped: number; made: number }>(
        'SELECT keep_click_months(0) AS dropped, keep_click_months(1) AS made',
      );
      await worker.end();
      expect(rows).toEqual([{ dropped: 25, made: 1 }]);
      const { tables, problems } = await checkTenancy(db);
      expect(problems).toEqual([]);
      const isMonth = (table: string): boolean => /^clicks_\d{6}$/.test(table);
      expect(tables.filter((table) => !isMonth(table))).toEqual([
        'addresses',
        'catalog_entities',
        'clicks',
        'clicks_default',
        'judgements',
      ]);
      expect(tables.filter(isMonth)).toHaveLength(4);
    } finally {
      await db.drop();
    }
  }, 60_000);
});
