import { testDatabase } from '@baton/platform/testing';
import { checkTenancy, ownPrefix, stores } from '@baton/testing';
import { Client } from 'pg';

describe('tenancy', () => {
  it('shows each runtime role its own tenants alone, in every table and every partition', async () => {
    const db = await testDatabase('attribution', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    try {
      // A partition made later must be as closed as those of the migration.
      const worker = new Client({ connectionString: db.worker });
      await worker.connect();
      await worker.query('SELECT make_click_partitions(0, 1)').finally(() => worker.end());
      const { tables, problems } = await checkTenancy(db);
      expect(problems).toEqual([]);
      expect(tables.filter((table) => !/^clicks_\d{8}$/.test(table))).toEqual([
        'attributions',
        'catalog_entities',
        'clicks',
        'clicks_default',
        'conversions',
        'identifiers',
        'identities',
        'reversals',
        'verifications',
      ]);
      expect(tables.filter((table) => /^clicks_\d{8}$/.test(table))).toHaveLength(2);
    } finally {
      await db.drop();
    }
  }, 60_000);
});
