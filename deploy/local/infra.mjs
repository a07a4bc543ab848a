// Kafka, PostgreSQL and Redis for this clone: those that the environment names, else real ones as local processes.
import { rmSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { kafka, roundTrip } from './kafka.mjs';
import { postgres, selectOne } from './postgres.mjs';
import { ping, redis } from './redis.mjs';
import { DATA, storeEnv } from './settings.mjs';
import { pause, runningPid, signal, stopDetached } from './processes.mjs';
import { ensureInstalled } from './install.mjs';
import { failWith, say, step, Trouble } from './progress.mjs';

const STORES = { kafka, postgres, redis };
const NAMED_BY = { kafka: 'KAFKA_BROKERS', postgres: 'POSTGRES_ADMIN_URL', redis: 'REDIS_URL' };

/** Makes sure that the three answer, and gives their addresses. What runs already is used as it is. */
export async function ensureStores() {
  const env = storeEnv();
  await Promise.all(Object.keys(STORES).map((name) => ensureStore(name, env)));
  return env;
}

async function ensureStore(name, env) {
  if (process.env[NAMED_BY[name]]) {
    await step(`${name}: the one that ${NAMED_BY[name]} names`, () => reach(name, env));
    return;
  }
  const store = STORES[name];
  if (store.isOurs() && (await answers(store))) return;
  await step(`${name} on ${store.address}`, () => startStore(name));
}

const REACH_MAX_MS = 20_000;

/** A store that has just begun, or whose machine is busy, may need a moment. */
async function reach(name, env, untilMs = Date.now() + REACH_MAX_MS) {
  try {
    if (name === 'kafka') await roundTrip(env.KAFKA_BROKERS.split(','));
    else if (name === 'postgres') await selectOne(env.POSTGRES_ADMIN_URL);
    else await ping({ host: new URL(env.REDIS_URL).hostname, port: Number(new URL(env.REDIS_URL).port || 6379) });
  } catch (error) {
    if (Date.now() < untilMs) {
      await pause(500);
      return reach(name, env, untilMs);
    }
    throw new Trouble(
      `${NAMED_BY[name]} names a ${name} that does not answer (${error.message}). Start it, correct the address, or unset ${NAMED_BY[name]} to have a local one.`,
    );
  }
}

const answers = (store) =>
  store.check().then(
    () => true,
    () => false,
  );

/** Starts one local store; a process of ours that does not answer is ended first. */
export async function startStore(name) {
  if (STORES[name].isOurs()) await stopDetached(name, { first: 'SIGKILL' });
  await STORES[name].start();
}

/** mode `immediate`: as a crash would. */
export const stopStore = (name, { mode = 'clean' } = {}) =>
  stopDetached(name, { first: mode === 'clean' ? STORES[name].stopSignal : 'SIGKILL' });
export const pauseStore = (name) => signal(name, 'SIGSTOP');
export const resumeStore = (name) => signal(name, 'SIGCONT');

export async function stopStores() {
  await Promise.all(
    Object.keys(STORES)
      .filter((name) => runningPid(name))
      .map((name) => step(`stop ${name}`, () => stopStore(name))),
  );
}

const HELP = `Kafka, PostgreSQL and Redis of this clone.

  npm run infra -- up        start what does not run yet (data under .baton/)
  npm run infra -- status    what runs, and where
  npm run infra -- env       print the addresses as shell assignments (--json: as JSON; --up: start them first)
  npm run infra -- down      stop what was started here (--fresh: and delete its data)

  --yes   install missing system packages without asking

Stores that the environment names (KAFKA_BROKERS, POSTGRES_ADMIN_URL, REDIS_URL) are used instead and never stopped.
Example: eval "$(npm run -s infra -- env --up)" && cd apps/attribution && npx jest --selectProjects integration
`;

async function main(args) {
  const [verb] = args.filter((arg) => !arg.startsWith('--'));
  if (args.includes('--help') || !verb) return void process.stdout.write(HELP);
  if (verb === 'up' || (verb === 'env' && args.includes('--up'))) {
    await ensureInstalled();
    await ensureStores();
  }
  if (verb === 'down') {
    const { sweepServices } = await import('./services.mjs');
    await sweepServices();
    await stopStores();
    if (args.includes('--fresh')) rmSync(DATA, { recursive: true, force: true });
  } else if (verb === 'env') printEnv(args.includes('--json'));
  else if (verb === 'status' || verb === 'up') await status();
  else throw new Trouble(`There is no "${verb}". Try: npm run infra -- --help`);
}

function printEnv(asJson) {
  const { KAFKA_BROKERS, POSTGRES_ADMIN_URL, REDIS_URL, DATABASE_PASSWORD } = storeEnv();
  const env = { KAFKA_BROKERS, POSTGRES_ADMIN_URL, REDIS_URL, DATABASE_PASSWORD };
  process.stdout.write(
    asJson
      ? `${JSON.stringify(env)}\n`
      : Object.entries(env)
          .map(([key, value]) => `export ${key}='${value}'\n`)
          .join(''),
  );
}

async function status() {
  for (const [name, store] of Object.entries(STORES)) {
    const where = process.env[NAMED_BY[name]]
      ? `named by ${NAMED_BY[name]}`
      : store.isOurs()
        ? (await answers(store))
          ? `ready on ${store.address}`
          : `runs on ${store.address}, but does not answer`
        : 'not running';
    say(`${name.padEnd(9)} ${where}`);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await main(process.argv.slice(2)).catch(failWith);
  // kafkajs may keep a timer or a connection; everything is said by now.
  process.exit();
}
