// Applies one service's prisma/migrations with Prisma's own schema engine (as WebAssembly: nothing is downloaded).
//   node migrate.mjs <folder with migrations/ and schema.prisma>     the database's URL comes in OWNER_URL
// Prints one JSON line: {"applied":[names]}. An error goes to standard error with the migration's name.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PrismaPg } from '@prisma/adapter-pg';
import { bindMigrationAwareSqlAdapterFactory } from '@prisma/driver-adapter-utils';
import * as engineModule from '@prisma/schema-engine-wasm/schema_engine_bg';
import pg from 'pg';

const require = createRequire(import.meta.url);
const folder = process.argv[2];
const connectionString = process.env.OWNER_URL;
if (!folder || !connectionString) {
  console.error('usage: OWNER_URL=postgresql://… node migrate.mjs <apps/x/prisma>');
  process.exit(2);
}

const migrationsList = () => {
  const base = join(folder, 'migrations');
  const names = readdirSync(base, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name).sort();
  return {
    baseDir: base,
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: names.map((name) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: readFileSync(join(base, name, 'migration.sql'), 'utf8') } },
    })),
  };
};

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

async function engine() {
  const wasm = readFileSync(require.resolve('@prisma/schema-engine-wasm').replace(/schema_engine\.js$/, 'schema_engine_bg.wasm'));
  const { instance } = await WebAssembly.instantiate(wasm, { './schema_engine_bg.js': engineModule });
  engineModule.__wbg_set_wasm(instance.exports);
  instance.exports.__wbindgen_start?.();
  const schema = readFileSync(join(folder, 'schema.prisma'), 'utf8');
  return engineModule.SchemaEngine.new({ datamodels: [['schema.prisma', schema]] }, () => {}, bindMigrationAwareSqlAdapterFactory(new WholeScripts({ connectionString })));
}

// The lock lies on a connection of its own: replicas that start at once wait for the first one here.
const lock = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
try {
  await lock.connect();
  await lock.query("SELECT pg_advisory_lock(hashtext('baton_migrate'))");
  const { appliedMigrationNames } = await (await engine()).applyMigrations({ migrationsList: migrationsList(), filters: { externalTables: [], externalEnums: [] } });
  console.log(JSON.stringify({ applied: appliedMigrationNames }));
} catch (error) {
  console.error(`migrating ${folder} failed: ${error?.message ?? error}`);
  process.exitCode = 1;
} finally {
  await lock.end().catch(() => {});
  process.exit();
}
