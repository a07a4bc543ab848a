// What breaks, one after the other, while facts come in.
import { pause } from './processes.mjs';
import { say } from './progress.mjs';

/** Shorter than what a request may take, so that some come through; longer, so that none does. */
const SHORT_MS = 3_000;
const LONG_MS = 7_000;
/** Longer than a leader of the relay may be silent. */
const SILENT_MS = 12_000;
const BETWEEN_MS = 3_000;

/** In the order in which they happen. Each gives the world its fault and takes it away again. */
const FAULTS = [
  ['kill -9 of a replica', ({ ingests }) => ingests[0].signal('SIGKILL')],
  ['Redis killed', (world) => gone(world, 'redis', SHORT_MS)],
  ['Kafka killed', (world) => gone(world, 'kafka', LONG_MS)],
  ['kill -9 of the other replica', ({ ingests }) => ingests[1].signal('SIGKILL')],
  ['PostgreSQL killed', (world) => gone(world, 'postgres', SHORT_MS)],
  ['Redis frozen', (world) => frozen(world, 'redis', LONG_MS)],
  ['PostgreSQL frozen', (world) => frozen(world, 'postgres', LONG_MS)],
  ['Kafka frozen', (world) => frozen(world, 'kafka', LONG_MS)],
  ['a replica frozen', ({ ingests }) => frozenReplica(ingests[0], SILENT_MS)],
  ['the other replica told to stop', ({ ingests }) => ingests[1].signal('SIGTERM')],
  ['PostgreSQL and Kafka killed at once', (world) => Promise.all([gone(world, 'postgres', LONG_MS), gone(world, 'kafka', LONG_MS)])],
];

/** Gives how many happened: all of them, unless one could not be done. */
export async function breakInTurn(world) {
  world.returning = {};
  for (const [what, strike] of FAULTS) {
    await pause(BETWEEN_MS);
    say(`    ${world.advertiser.answered.length} answered; ${what}`);
    await strike(world);
  }
  await Promise.all(Object.values(world.returning));
  return FAULTS.length;
}

/** Its return takes as long as it takes, while other things break; only its own next fault waits for it. */
async function gone(world, store, ms) {
  await world.returning[store];
  await world.stores.kill(store);
  await pause(ms);
  world.returning[store] = world.stores.start(store);
  // Told where it is waited for, not where nobody listens.
  world.returning[store].catch(() => {});
}

async function frozen({ stores, returning }, store, ms) {
  await returning[store];
  if (!stores.freeze(store)) throw new Error(`${store} could not be frozen: it does not run`);
  await pause(ms);
  stores.thaw(store);
}

async function frozenReplica(replica, ms) {
  replica.signal('SIGSTOP');
  await pause(ms);
  replica.signal('SIGCONT');
}

/** Where each replica dies by itself, in the lives that follow its first. A relay's points lie on the way of the leader alone. */
const CRASHES = [
  ['ingest:committed#25', 'relay:published#2'],
  ['relay:published#2', 'ingest:committed#40'],
];

/** Each life of a replica runs into the crash point that is its turn; later lives into none. `replica.crashAt` is the present one. */
export function crashInLaterLives(replicas) {
  replicas.forEach((replica, i) => {
    const start = replica.start.bind(replica);
    let life = 0;
    replica.start = () => {
      replica.crashAt = CRASHES[i]?.[life++];
      return start(replica.crashAt ? { CRASH_AT: replica.crashAt } : {});
    };
  });
}
