// A service's database of the bench's own on a real server, migrated, and gone at the end.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { ROOT } from '../local/settings.mjs';

const require = createRequire(import.meta.url);
const { bootstrapDatabases, dropDatabases, migrate } = require('@baton/platform');
const { Client } = require('pg');

/** `urls` by role, and the means to look into it as the server's administrator. */
export async function startDatabase({ run, stores, service }) {
  const databasePrefix = `bench${randomBytes(3).toString('hex')}_`;
  const options = {
    adminUrl: stores.POSTGRES_ADMIN_URL,
    databasePrefix,
    password: stores.DATABASE_PASSWORD,
    services: [service],
  };
  run.later(() => dropDatabases(options));
  const urls = (await bootstrapDatabases(options)).get(service);
  await migrate({ ownerUrl: urls.owner, folder: join(ROOT, 'apps', service, 'prisma') });
  const adminUrl = new URL(stores.POSTGRES_ADMIN_URL);
  adminUrl.pathname = `/${urls.database}`;
  const admin = new Client({ connectionString: adminUrl.toString() });
  admin.on('error', () => {});
  await admin.connect();
  run.later(() => admin.end());
  return {
    urls,
    adminUrl: adminUrl.toString(),
    query: async (sql, values) => (await admin.query(sql, values)).rows,
    /** Rows of a table, where `condition` holds. */
    count: async (table, condition = 'true') => (await admin.query(`SELECT count(*)::int AS n FROM ${table} WHERE ${condition}`)).rows[0].n,
  };
}
