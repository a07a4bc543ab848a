import { checkTenancy, ownPrefix, stores } from '@baton/testing';
import { join } from 'node:path';
import { Client } from 'pg';
import { type TestDatabase, testDatabase } from '../testing';
import { DATABASE_SERVICES } from './bootstrap';
import { schemaDrift } from './migrate';

// A database is made and migrated: seconds, where the machine is busy.
jest.setTimeout(60_000);

/** What every service's database must hold, whatever its own specs ask. */
describe.each(DATABASE_SERVICES)('the database of %s', (service) => {
  const folder = join(__dirname, '../../../../apps', service, 'prisma');
  let db: TestDatabase;
  let admin: Client;
  beforeAll(async () => {
    db = await testDatabase(service, { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix(), folder });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
  });
  afterAll(async () => {
    await admin?.end();
    await db?.drop();
  });

  it('is what its schema.prisma says', async () => {
    expect(await schemaDrift({ ownerUrl: db.owner, schemaPath: join(folder, 'schema.prisma') })).toEqual([]);
  });

  it('shows each role its own tenants alone, in every table', async () => {
    const { tables, problems } = await checkTenancy(db);
    expect(problems).toEqual([]);
    expect(tables).toContain('catalog_entities');
  });

  it('gives the api role no way to read or change what lies outside tenancy and is not its own', async () => {
    const name = db.database.slice(db.database.indexOf(service.replaceAll('-', '_')));
    const { rows } = await admin.query<{ may: boolean }>(
      `SELECT has_table_privilege(role, 'outbox', 'SELECT, UPDATE, DELETE, TRUNCATE') OR has_table_privilege(role, '_prisma_migrations', 'SELECT, INSERT, UPDATE, DELETE')
              OR has_function_privilege(role, 'baton_outbox_maintain()', 'EXECUTE') OR has_schema_privilege(role, 'public', 'CREATE') AS may
       FROM (VALUES ('baton_' || $1 || '_api')) AS r(role)`,
      [name],
    );
    expect(rows).toEqual([{ may: false }]);
  });

  it('lets no other service’s role in', async () => {
    const { rows } = await admin.query<{ role: string }>(
      `SELECT rolname AS role FROM pg_roles WHERE rolname LIKE 'baton\\_%' AND has_database_privilege(rolname, current_database(), 'CONNECT') AND rolname NOT LIKE 'baton\\_' || $1 || '\\_%'`,
      [service.replaceAll('-', '\\_')],
    );
    expect(rows).toEqual([]);
  });
});
