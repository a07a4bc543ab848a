import { checkTenancy, ownPrefix, stores } from '@baton/testing';
import { join } from 'node:path';
import { Client } from 'pg';
import { type TestDatabase, testDatabase } from '../testing';

// A database is made and migrated: seconds, where the machine is busy.
jest.setTimeout(60_000);

describe('tenancy in the database', () => {
  let db: TestDatabase;
  let owner: Client;

  beforeAll(async () => {
    db = await testDatabase('fraud-scoring', {
      adminUrl: stores().postgresAdminUrl,
      prefix: ownPrefix(),
      folder: join(__dirname, '../../prisma'),
    });
    owner = new Client({ connectionString: db.owner });
    await owner.connect();
  });
  afterAll(async () => {
    await owner.end();
    await db.drop();
  });

  const protectedTable = (name: string, more = '') =>
    `CREATE TABLE ${name} (tenant_id uuid NOT NULL, id uuid NOT NULL, kind text NOT NULL CHECK (kind IN ('a', 'b')), PRIMARY KEY (tenant_id, id)) ${more}; SELECT baton_protect('${name}', 'SELECT, INSERT, UPDATE, DELETE', 'SELECT, INSERT, UPDATE, DELETE')`;

  /** What the check says after `sql`, which is taken back. */
  const problemsAfter = async (sql: string): Promise<readonly string[]> => {
    await owner.query(sql);
    try {
      return (await checkTenancy(db)).problems;
    } finally {
      await owner.query('DROP VIEW IF EXISTS t_view; DROP MATERIALIZED VIEW IF EXISTS t_seen; DROP TABLE IF EXISTS t CASCADE');
    }
  };

  it('holds for the catalog as it is, and for a table that baton_protect was told of', async () => {
    expect(await checkTenancy(db)).toEqual({ tables: ['catalog_entities'], problems: [] });
    expect(await problemsAfter(protectedTable('t'))).toEqual([]);
    expect(
      await problemsAfter(
        `${protectedTable('t', 'PARTITION BY HASH (tenant_id)')}; CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0)`,
      ),
    ).toEqual([]);
  });

  const worker = 'baton_fraud_scoring_worker';
  it.each([
    [
      'a table that nobody protected',
      `CREATE TABLE t (tenant_id uuid NOT NULL); SELECT baton_grant('t', 'SELECT', '')`,
      /row-level security is not enabled/,
    ],
    ['protection that does not bind the owner', `${protectedTable('t')}; ALTER TABLE t NO FORCE ROW LEVEL SECURITY`, /is not forced/],
    [
      'a policy that lets everybody read',
      `${protectedTable('t')}; CREATE POLICY leak ON t FOR SELECT TO ${worker} USING (true)`,
      /worker with tenant A set sees the rows of 1 other/,
    ],
    [
      'a policy that lets rows be written for others',
      `${protectedTable('t')}; CREATE POLICY leak ON t FOR INSERT TO ${worker} WITH CHECK (true)`,
      /worker for tenant A inserted a row of B/,
    ],
    [
      'a policy that shows everything while no tenant is set',
      `${protectedTable('t')}; CREATE POLICY leak ON t TO ${worker} USING (current_setting('app.tenants', true) = '')`,
      /worker with no tenant set sees/,
    ],
    [
      'a policy that deletes for others',
      `${protectedTable('t')}; DROP POLICY tenants_of_batch ON t; CREATE POLICY r ON t TO ${worker} USING (true) WITH CHECK (false)`,
      /worker for tenant A deleted a row of B/,
    ],
    ['a role that sees nothing at all', `${protectedTable('t')}; DROP POLICY tenants_of_batch ON t`, /does not see its own rows/],
    [
      'a partition with a grant of its own',
      `${protectedTable('t', 'PARTITION BY HASH (tenant_id)')}; CREATE TABLE t_0 PARTITION OF t FOR VALUES WITH (MODULUS 1, REMAINDER 0); GRANT SELECT ON t_0 TO ${worker}`,
      /t_0: a partition that .*worker may address/,
    ],
    [
      'a view with its owner’s eyes',
      `${protectedTable('t')}; CREATE VIEW t_view AS SELECT * FROM t; GRANT SELECT ON t_view TO ${worker}`,
      /t_view: a view/,
    ],
    [
      'a materialised view',
      `${protectedTable('t')}; CREATE MATERIALIZED VIEW t_seen AS SELECT * FROM t; GRANT SELECT ON t_seen TO ${worker}`,
      /t_seen: .*materialised/,
    ],
  ])('is not held by %s, and the check says so', async (_, sql, says) => {
    expect((await problemsAfter(sql)).join('\n')).toMatch(says);
  });

  it('leaves nothing behind', async () => {
    await owner.query(protectedTable('t'));
    await checkTenancy(db);
    const admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    expect((await admin.query('SELECT count(*)::int AS rows FROM t')).rows[0].rows).toBe(0);
    expect(
      (await admin.query(`SELECT count(*)::int AS checks FROM pg_constraint WHERE conrelid = 't'::regclass AND contype = 'c'`)).rows[0]
        .checks,
    ).toBe(1);
    await admin.end();
    await owner.query('DROP TABLE t');
  });
});
