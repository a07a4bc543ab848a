import { randomUUID } from 'node:crypto';
import { Client } from 'pg';

/** One service's migrated database; what `testDatabase` gives will do. */
export interface TenancyTarget {
  /** A superuser's URL of this database. */
  readonly adminUrl: string;
  readonly api: string;
  readonly worker: string;
}

export interface TenancyReport {
  /** Every table, partition and view with a tenant_id, sorted. A spec names the ones that it expects, so that an empty database fails. */
  readonly tables: readonly string[];
  /** Empty: each role sees and writes nothing but its own tenants' rows. */
  readonly problems: readonly string[];
}

/** Table -> column -> SQL expression, for rows that cannot be made up from the columns' types (a partition key, say). */
export type Fill = Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * Takes every table with a tenant_id from the database's own catalog and tries, as each runtime role, to get at another tenant's rows:
 * no tenant set, no rows; tenant A, only A; an insert for B refused, no row of A moved to B, none of B updated or deleted.
 * Everything happens in one transaction that is rolled back. Throws where a row cannot be made up: name its columns in `fill`.
 */
export async function checkTenancy(target: TenancyTarget, fill: Fill = {}): Promise<TenancyReport> {
  const problems: string[] = [];
  const roles = { api: await roleBehind(target.api, problems), worker: await roleBehind(target.worker, problems) };
  return withClient(target.adminUrl, async (admin) => {
    const tables = await tenantTables(admin);
    for (const table of tables) await lookAt(admin, table, Object.values(roles), problems);
    const real = tables.filter((table) => table.kind === 'table');
    await admin.query('BEGIN');
    try {
      await prepare(admin, real, fill);
      for (const [kind, role] of Object.entries(roles))
        for (const table of real) problems.push(...(await tryTable(admin, { kind, role, table, fill })));
    } finally {
      await admin.query('ROLLBACK');
    }
    return { tables: tables.map((t) => t.name), problems };
  });
}

interface Table {
  /** Quoted where it must be. */
  readonly name: string;
  readonly kind: 'table' | 'partition' | 'view' | 'materialised view';
  readonly owner: string;
  readonly rls: boolean;
  readonly forced: boolean;
  readonly invoker: boolean;
}

const A = randomUUID();
const B = randomUUID();

/** A login of its own for each role: what the server says of it, and that no tenant is set by default. */
async function roleBehind(url: string, problems: string[]): Promise<string> {
  return withClient(url, async (client) => {
    const { rows } = await client.query<{ name: string; super: boolean; bypass: boolean; preset: string | null }>(
      `SELECT current_user AS name, rolsuper AS super, rolbypassrls AS bypass, concat(current_setting('app.tenant', true), current_setting('app.tenants', true)) AS preset
       FROM pg_roles WHERE rolname = current_user`,
    );
    const role = rows[0] as (typeof rows)[0];
    if (role.super) problems.push(`${role.name} is a superuser: row-level security does not bind it`);
    if (role.bypass) problems.push(`${role.name} has BYPASSRLS`);
    if (role.preset) problems.push(`${role.name} starts with a tenant set already: ${role.preset}`);
    return role.name;
  });
}

async function tenantTables(admin: Client): Promise<Table[]> {
  const { rows } = await admin.query<Table>(
    `SELECT c.oid::regclass::text AS name, pg_get_userbyid(c.relowner) AS owner, c.relrowsecurity AS rls, c.relforcerowsecurity AS forced,
            coalesce('security_invoker=true' = ANY (c.reloptions) OR 'security_invoker=on' = ANY (c.reloptions), false) AS invoker,
            CASE WHEN c.relkind = 'v' THEN 'view' WHEN c.relkind = 'm' THEN 'materialised view' WHEN c.relispartition THEN 'partition' ELSE 'table' END AS kind
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
     JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_t%'
     WHERE c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1`,
  );
  return rows;
}

/** What the catalog alone tells. A partition is bound by its own policies, not its parent's, when it is addressed by its own name. */
async function lookAt(admin: Client, table: Table, roles: readonly string[], problems: string[]): Promise<void> {
  const { rows } = await admin.query<{ role: string; reaches: boolean; owns: boolean }>(
    `SELECT r AS role, pg_has_role(r, $2, 'MEMBER') AS owns, has_table_privilege(r, $1, 'TRUNCATE') OR has_any_column_privilege(r, $1, 'SELECT, INSERT, UPDATE') OR has_table_privilege(r, $1, 'DELETE') AS reaches
     FROM unnest($3::text[]) AS r`,
    [table.name, table.owner, roles],
  );
  for (const { role, owns } of rows) if (owns) problems.push(`${table.name}: ${role} owns it, or is a member of its owner ${table.owner}`);
  const reached = rows.filter((row) => row.reaches).map((row) => row.role);
  const who = reached.join(' and ');
  if (table.kind === 'table' && !(table.rls && table.forced))
    problems.push(
      `${table.name}: row-level security is not ${table.rls ? 'forced' : 'enabled'}; SELECT baton_protect('${table.name}', …) in the migration`,
    );
  if (table.kind === 'partition' && reached.length > 0 && !(table.rls && table.forced))
    problems.push(`${table.name}: a partition that ${who} may address by its own name, without row-level security of its own`);
  if (table.kind === 'view' && reached.length > 0 && !table.invoker)
    problems.push(`${table.name}: a view that ${who} may read with its owner's eyes; make it WITH (security_invoker = true)`);
  if (table.kind === 'materialised view' && reached.length > 0)
    problems.push(`${table.name}: ${who} may read a materialised view, which row-level security cannot bind`);
}

/** A row of A and a row of B in every table. Foreign keys, triggers and checks are out of the way until the rollback. */
async function prepare(admin: Client, tables: readonly Table[], fill: Fill): Promise<void> {
  await admin.query(`SET LOCAL session_replication_role = replica; SET LOCAL lock_timeout = '5s'`);
  for (const { name } of tables) {
    const checks = await admin.query<{ name: string }>(
      `SELECT quote_ident(conname) AS name FROM pg_constraint WHERE conrelid = $1::regclass AND contype = 'c' AND conislocal`,
      [name],
    );
    for (const check of checks.rows) await admin.query(`ALTER TABLE ${name} DROP CONSTRAINT ${check.name}`);
    for (const tenant of [A, B]) {
      try {
        await admin.query(await insertFor(admin, name, tenant, fill));
      } catch (error) {
        throw new Error(
          `cannot make up a row of ${name}: ${(error as Error).message}. Give the column's SQL to checkTenancy: { ${name}: { column: "'value'" } }`,
          { cause: error },
        );
      }
    }
  }
}

interface Trial {
  readonly kind: string;
  readonly role: string;
  readonly table: Table;
  readonly fill: Fill;
}

async function tryTable(admin: Client, { kind, role, table: { name }, fill }: Trial): Promise<string[]> {
  const problems: string[] = [];
  const { rows } = await admin.query<{ read: boolean; insert: boolean; move: boolean; update: string | null; remove: boolean }>(
    `SELECT has_column_privilege($1, $2, 'tenant_id', 'SELECT') AS read, has_column_privilege($1, $2, 'tenant_id', 'INSERT') AS insert, has_column_privilege($1, $2, 'tenant_id', 'UPDATE') AS move,
            has_table_privilege($1, $2, 'DELETE') AS remove,
            (SELECT quote_ident(attname) FROM pg_attribute WHERE attrelid = $2::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' AND attidentity <> 'a'
               AND has_column_privilege($1, $2::regclass, attnum, 'UPDATE') LIMIT 1) AS update`,
    [role, name],
  );
  const may = rows[0] as (typeof rows)[0];
  const insert = may.insert ? await insertFor(admin, name, B, fill, role) : null;
  const as = (tenants: readonly string[]) => asRole(admin, role, tenants);
  if (may.read) {
    await as([])(async () => expectTenants(problems, name, role, 'with no tenant set', await seen(admin, name), []));
    await as([A])(async () => expectTenants(problems, name, role, 'with tenant A set', await seen(admin, name), [A]));
    if (kind === 'worker')
      await as([A, B])(async () => expectTenants(problems, name, role, 'with A and B set', await seen(admin, name), [A, B]));
    else await as([A, B])(async () => expectTenants(problems, name, role, 'with two tenants', await seen(admin, name), []));
    if (may.update)
      await as([A])(() =>
        expectNone(problems, `${name}: ${role} for tenant A updated a row of B`, () =>
          admin.query(`UPDATE ${name} SET ${may.update} = ${may.update} WHERE tenant_id = '${B}'`),
        ),
      );
    if (may.remove)
      await as([A])(() =>
        expectNone(problems, `${name}: ${role} for tenant A deleted a row of B`, () =>
          admin.query(`DELETE FROM ${name} WHERE tenant_id = '${B}'`),
        ),
      );
    if (may.move)
      await as([A])(() =>
        expectRefused(problems, `${name}: ${role} for tenant A moved a row to B`, () =>
          admin.query(`UPDATE ${name} SET tenant_id = '${B}' WHERE tenant_id = '${A}'`),
        ),
      );
  }
  if (insert) {
    await as([A])(() => expectRefused(problems, `${name}: ${role} for tenant A inserted a row of B`, () => admin.query(insert)));
    await as([])(() => expectRefused(problems, `${name}: ${role} with no tenant set inserted a row`, () => admin.query(insert)));
  }
  return problems;
}

/** Becomes the role for one piece of work, as `Database.transaction` sets its tenants, and comes back whatever happened. */
const asRole =
  (admin: Client, role: string, tenants: readonly string[]) =>
  async (work: () => Promise<void>): Promise<void> => {
    await admin.query('SAVEPOINT trial');
    await admin.query(`SELECT set_config('app.tenants', $1, true), set_config('app.tenant', $2, true)`, [
      tenants.length > 0 ? `{${tenants.join(',')}}` : '',
      tenants.length === 1 ? tenants[0] : '',
    ]);
    await admin.query(`SET LOCAL ROLE ${role}`);
    try {
      await work();
    } finally {
      await admin.query('ROLLBACK TO SAVEPOINT trial');
    }
  };

const seen = async (admin: Client, name: string): Promise<string[]> =>
  (await admin.query<{ tenant_id: string }>(`SELECT DISTINCT tenant_id::text FROM ${name}`)).rows.map((row) => row.tenant_id);

function expectTenants(
  problems: string[],
  name: string,
  role: string,
  when: string,
  got: readonly string[],
  wanted: readonly string[],
): void {
  const foreign = got.filter((id) => !wanted.includes(id));
  const missing = wanted.filter((id) => !got.includes(id));
  if (foreign.length > 0) problems.push(`${name}: ${role} ${when} sees the rows of ${foreign.length} other tenants`);
  if (missing.length > 0) problems.push(`${name}: ${role} ${when} does not see its own rows`);
}

async function expectNone(problems: string[], what: string, work: () => Promise<{ readonly rowCount: number | null }>): Promise<void> {
  try {
    if ((await work()).rowCount) problems.push(what);
  } catch (error) {
    // Refused: the row of B was seen (which is a problem of its own, told above), and not touched.
    if (!/row-level security/.test((error as Error).message))
      problems.push(`${what}? It was stopped by something else: ${(error as Error).message}`);
  }
}

async function expectRefused(problems: string[], what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (/row-level security/.test((error as Error).message)) return;
    problems.push(`${what.replace(/ (inserted|moved) /, ' was stopped as it $1 ')}, but by something else: ${(error as Error).message}`);
    return;
  }
  problems.push(what);
}

/** An INSERT of one made-up row. For a role: of the columns that it may insert. */
async function insertFor(admin: Client, name: string, tenant: string, fill: Fill, role?: string): Promise<string> {
  const { rows } = await admin.query<{ column: string; type: string; typtype: string; label: string | null; required: boolean }>(
    `SELECT quote_ident(a.attname) AS column, coalesce(b.typname, t.typname) AS type, t.typtype, a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS required,
            (SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1) AS label
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND ($2::text IS NULL OR has_column_privilege($2, a.attrelid, a.attnum, 'INSERT'))`,
    [name, role ?? null],
  );
  const wanted = rows.filter((row) => row.required || row.column === 'tenant_id' || fill[name]?.[row.column] !== undefined);
  const value = (row: (typeof rows)[0]): string =>
    fill[name]?.[row.column] ?? (row.column === 'tenant_id' ? `'${tenant}'` : madeUp(row.type, row.label));
  return `INSERT INTO ${name} (${wanted.map((row) => row.column).join(', ')}) VALUES (${wanted.map(value).join(', ')})`;
}

function madeUp(type: string, label: string | null): string {
  if (label !== null) return `'${label}'`;
  if (type.startsWith('_')) return `'{}'`;
  if (type === 'uuid') return 'gen_random_uuid()';
  if (type === 'bool') return 'false';
  if (/^(int|float|numeric)/.test(type)) return `floor(random() * 30000)::${type}`;
  if (/^(timestamp|date|time)/.test(type)) return `now()::${type}`;
  if (type === 'json' || type === 'jsonb') return `'{}'`;
  if (type === 'bytea') return `decode(md5(random()::text), 'hex')`;
  return `left(md5(random()::text), 20)`;
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
