import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';

/** Prisma's schema engine is an ES module that brings WebAssembly: it runs as a program of its own. */
const PROGRAM = join(__dirname, '../../migrate.mjs');

/**
 * Applies the migrations in `<folder>/migrations` that the database has not had, in order, under an advisory lock. Gives their names.
 * Throws with the migration and the statement that failed.
 */
export async function migrate({ ownerUrl, folder }: { readonly ownerUrl: string; readonly folder: string }): Promise<string[]> {
  return (await engine<{ applied: string[] }>(ownerUrl, 'apply', folder)).applied;
}

/** The SQL that leads from one schema.prisma (or `empty`) to another: what a new migration starts from. The URL is any reachable database's. */
export async function schemaDiff({
  ownerUrl,
  from,
  to,
}: {
  readonly ownerUrl: string;
  readonly from: string;
  readonly to: string;
}): Promise<string> {
  return (await engine<{ sql: string }>(ownerUrl, 'diff', from, to)).sql;
}

/**
 * Where the migrated database and schema.prisma say different things: tables, columns, types, nullability, primary keys. Empty: they agree.
 * Partitions, policies, checks and functions are the migrations' own and not looked at, nor are the tables of the ground that the schema does not
 * name. Leaves nothing behind.
 */
export async function schemaDrift({ ownerUrl, schemaPath }: { readonly ownerUrl: string; readonly schemaPath: string }): Promise<string[]> {
  const wanted = await schemaDiff({ ownerUrl, from: 'empty', to: schemaPath });
  const client = new Client({ connectionString: ownerUrl, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    await client.query('BEGIN; CREATE SCHEMA drift; SET LOCAL search_path = drift');
    await client.query(wanted);
    const [schema, database] = [await columnsOf(client, 'drift'), await columnsOf(client, 'public')];
    return [...new Set([...schema.keys(), ...database.keys()])].sort().flatMap((name) => {
      const [said, is] = [schema.get(name), database.get(name)];
      if (said === is || (said === undefined && isGround(name) && ![...schema.keys()].some((known) => tableOf(known) === tableOf(name))))
        return [];
      return [
        `${name}: schema.prisma says ${said ?? 'nothing of it'}, the database ${is === undefined ? 'has no such column' : `has ${is}`}`,
      ];
    });
  } finally {
    await client.query('ROLLBACK').catch(() => undefined);
    await client.end();
  }
}

/** Every service has them from sql/ground.sql, whether or not its own Prisma client speaks of them. */
const GROUND_TABLES = ['outbox', 'catalog_entities', 'known_tenants', 'api_keys'];
const tableOf = (name: string): string => name.slice(0, name.indexOf('.'));
const isGround = (name: string): boolean => GROUND_TABLES.includes(tableOf(name));

/** `table.column` -> `type, nullability, place in the primary key`. */
async function columnsOf(client: Client, schema: string): Promise<Map<string, string>> {
  const { rows } = await client.query<{ name: string; is: string }>(
    `SELECT c.relname || '.' || a.attname AS name,
            replace(format_type(a.atttypid, a.atttypmod), n.nspname || '.', '')
            -- Prisma cannot say that a list is never null.
            || CASE WHEN a.attnotnull AND a.attndims = 0 THEN ' not null' ELSE '' END || coalesce(' key ' || array_position(k.conkey, a.attnum), '') AS is
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'
     WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relname <> '_prisma_migrations'`,
    [schema],
  );
  return new Map(rows.map(({ name, is }) => [name, is]));
}

async function engine<T>(ownerUrl: string, ...args: string[]): Promise<T> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, ...args], {
      maxBuffer: 16 << 20,
      env: { ...process.env, OWNER_URL: ownerUrl, NODE_OPTIONS: '--no-warnings' },
    });
    return JSON.parse(stdout) as T;
  } catch (error) {
    throw new Error(String((error as { stderr?: string }).stderr || error).trim(), { cause: error });
  }
}
