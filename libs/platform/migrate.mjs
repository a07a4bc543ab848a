// Prisma's own schema engine, as WebAssembly: nothing is downloaded. A program of its own, because it is an ES module.
//   node migrate.mjs apply <folder with migrations/ and schema.prisma>   applies what the database has not had; prints {"applied":[names]}
//   node migrate.mjs diff <from.prisma | empty> <to.prisma>              prints the SQL that leads from one schema to the other, as JSON
// The database's URL comes in OWNER_URL. An error goes to standard error, with the migration's name.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

const require = createRequire(import.meta.url);
/**
 * The adapter cuts a script at every semicolon, those inside functions and comments too. Sent whole, the server parses it, and the
 * script is one transaction: a migration that fails leaves nothing behind.
 */
class WholeScripts extends PrismaPg {
  async connect() {
    const adapter = await super.connect();
    adapter.executeScript = async (script) => {
      try {
        await adapter.underlyingDriver().query(script);
      } catch (error) {
        const line = error.position ? ` (line ${script.slice(0, Number(error.position)).split('\n').length})` : '';
        adapter.onError(Object.assign(error, { message: `${error.message}${line}` }));
      }
    };
    return adapter;
  }
}

const FILTERS = { externalTables: [], externalEnums: [] };
const [verb, ...names] = process.argv.slice(2);
const connectionString = process.env.OWNER_URL;

if (!connectionString || !((verb === 'apply' && names.length === 1) || (verb === 'diff' && names.length === 2))) {
  console.error('usage: OWNER_URL=postgresql://… node migrate.mjs apply <apps/x/prisma> | diff <from.prisma|empty> <to.prisma>');
  process.exit(2);
}
try {
  console.log(JSON.stringify(verb === 'apply' ? await apply(names[0]) : await diff(names[0], names[1])));
} catch (error) {
  console.error(`${verb === 'apply' ? 'migrating' : 'comparing'} ${names.join(' and ')} failed: ${error?.message ?? error}`);
  process.exitCode = 1;
}
// The engine keeps handles open; everything is said by now.
process.exit();

async function apply(folder) {
  // The lock lies on a connection of its own: replicas that start at once wait for the first one here.
  const lock = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  lock.on('error', () => {});
  try {
    await lock.connect();
    await lock.query("SELECT pg_advisory_lock(hashtext('baton_migrate'))");
    const { appliedMigrationNames } = await (await engine(join(folder, 'schema.prisma'))).applyMigrations({ migrationsList: migrationsIn(folder), filters: FILTERS });
    return { applied: appliedMigrationNames };
  } finally {
    await lock.end().catch(() => {});
  }
}

async function diff(from, to) {
  const schema = (path) => (path === 'empty' ? { tag: 'empty' } : { tag: 'schemaDatamodel', files: [{ path, content: readFileSync(path, 'utf8') }], configDir: '.' });
  const { stdout } = await (await engine(to)).diff({ from: schema(from), to: schema(to), script: true, exitCode: null, shadowDatabaseUrl: null, filters: FILTERS });
  return { sql: stdout ?? '' };
}

async function engine(schemaFile) {
  const wasm = readFileSync(require.resolve('@prisma/schema-engine-wasm').replace(/schema_engine\.js$/, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': engineModule });
  engineModule.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  return engineModule.SchemaEngine.new({ datamodels: [['schema.prisma', readFileSync(schemaFile, 'utf8')]] }, () => {}, bindMigrationAwareSqlAdapterFactory(new WholeScripts({ connectionString })));
}

function migrationsIn(folder) {
  const base = join(folder, 'migrations');
  const found = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
  return {
    baseDir: base,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: found.map((name) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: readFileSync(join(base, name, 'migration.sql'), 'utf8') } },
    })),
  };
}
