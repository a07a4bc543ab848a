import { Client } from 'pg';

/** Services with a database. */
export const DATABASE_SERVICES = ['control-plane', 'conversion-ingest', 'attribution', 'fraud-scoring', 'reward-fulfillment'] as const;
export type DatabaseService = (typeof DATABASE_SERVICES)[number];
const ROLES = ['owner', 'api', 'worker'] as const;

export interface BootstrapOptions {
  /** A superuser's URL, any database. */
  readonly adminUrl: string;
  /** Databases are named `<prefix><service>`; roles are the server's, so that they are the same for every prefix. */
  readonly databasePrefix: string;
  readonly password: string;
  readonly services?: readonly DatabaseService[];
}

export interface DatabaseUrls {
  readonly database: string;
  readonly owner: string;
  readonly api: string;
  readonly worker: string;
}

const roleName = (service: string, role: (typeof ROLES)[number]): string => `baton_${service.replaceAll('-', '_')}_${role}`;

export function databaseUrls({ adminUrl, databasePrefix, password }: BootstrapOptions, service: DatabaseService): DatabaseUrls {
  const database = databasePrefix + service.replaceAll('-', '_');
  const url = (role: (typeof ROLES)[number]): string => {
    const parsed = new URL(adminUrl);
    parsed.username = roleName(service, role);
    parsed.password = password;
    parsed.pathname = `/${database}`;
    return parsed.toString();
  };
  return { database, owner: url('owner'), api: url('api'), worker: url('worker') };
}

/** Makes the roles and databases that are missing and sets the password; safe to run again and at once. */
export async function bootstrapDatabases(options: BootstrapOptions): Promise<Map<DatabaseService, DatabaseUrls>> {
  const services = options.services ?? DATABASE_SERVICES;
  return withAdmin(options.adminUrl, async (admin) => {
    for (const service of services) {
      for (const role of ROLES) await makeRole(admin, roleName(service, role), options.password);
      await makeDatabase(admin, databaseUrls(options, service).database, service);
    }
    return new Map(services.map((service) => [service, databaseUrls(options, service)]));
  });
}

/** For tests: drops the databases of a prefix, whoever is still connected. */
export async function dropDatabases({ adminUrl, databasePrefix, password, services = DATABASE_SERVICES }: BootstrapOptions): Promise<void> {
  await withAdmin(adminUrl, async (admin) => {
    for (const service of services)
      await admin.query(`DROP DATABASE IF EXISTS "${databaseUrls({ adminUrl, databasePrefix, password }, service).database}" WITH (FORCE)`);
  });
}

async function withAdmin<T>(adminUrl: string, work: (admin: Client) => Promise<T>): Promise<T> {
  const admin = new Client({ connectionString: adminUrl, connectionTimeoutMillis: 5_000 });
  admin.on('error', () => undefined);
  await admin.connect();
  try {
    // Roles belong to the whole server: two who make them at once would fail on each other.
    await admin.query("SELECT pg_advisory_lock(hashtext('baton_bootstrap'))");
    return await work(admin);
  } finally {
    await admin.end();
  }
}

async function makeRole(admin: Client, role: string, password: string): Promise<void> {
  const { rowCount } = await admin.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = rowCount ? 'ALTER' : 'CREATE';
  await admin.query(
    `${verb} ROLE ${admin.escapeIdentifier(role)} LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE PASSWORD ${admin.escapeLiteral(password)}`,
  );
  // Insert, lock, then read again in a new statement: that new statement must see what others committed meanwhile, whatever the server's default is.
  await admin.query(`ALTER ROLE ${admin.escapeIdentifier(role)} SET default_transaction_isolation = 'read committed'`);
}

async function makeDatabase(admin: Client, database: string, service: string): Promise<void> {
  const name = admin.escapeIdentifier(database);
  const { rowCount } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [database]);
  if (!rowCount) await admin.query(`CREATE DATABASE ${name} OWNER ${roleName(service, 'owner')} TEMPLATE template0 ENCODING 'UTF8'`);
  await admin.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  await admin.query(`GRANT CONNECT ON DATABASE ${name} TO ${ROLES.map((role) => roleName(service, role)).join(', ')}`);
}
