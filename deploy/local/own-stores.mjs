// Kafka, PostgreSQL and Redis for one run alone, which may therefore stop, kill and freeze them.
import { join } from 'node:path';
import { localBroker } from './kafka.mjs';
import { localPostgres } from './postgres.mjs';
import { localRedis } from './redis.mjs';
import { portTaken, runningPid, signalFamily, stopDetached } from './processes.mjs';
import { Trouble } from './progress.mjs';
import { RUN_PORTS, storeEnv } from './settings.mjs';

/** Not started yet. `name` stands in front of the processes' names; data goes below `folder`. */
export async function ownStores({ name, folder }) {
  const [port, controllerPort, postgresPort, redisPort] = await freePorts(4);
  const all = {
    kafka: localBroker({ name: `${name}-kafka`, folder: join(folder, 'kafka'), port, controllerPort }),
    postgres: localPostgres({ name: `${name}-postgres`, folder: join(folder, 'postgres'), port: postgresPort }),
    redis: localRedis({ name: `${name}-redis`, folder: join(folder, 'redis'), port: redisPort }),
  };
  const chosen = (names) => names.map((each) => all[each]);
  const names = Object.keys(all);
  return {
    env: storeEnv({
      KAFKA_BROKERS: all.kafka.address,
      POSTGRES_ADMIN_URL: all.postgres.adminUrl,
      REDIS_URL: `redis://${all.redis.address}`,
    }),
    start: (...some) => Promise.all(chosen(some.length > 0 ? some : names).map((store) => store.start())),
    /** As a crash would. */
    kill: (...some) =>
      Promise.all(
        chosen(some.length > 0 ? some : names).map((store) => stopDetached(store.name, { first: store.crashSignal ?? 'SIGKILL' })),
      ),
    /** Connections stay open, and nobody answers. */
    freeze: (store) => signalFamily(all[store].name, 'SIGSTOP'),
    thaw: (store) => signalFamily(all[store].name, 'SIGCONT'),
    isRunning: (store) => runningPid(all[store].name) !== null,
  };
}

/** Ports that nothing listens on, of a range from which no connection gets its own: a store that is away must not lose its port. */
async function freePorts(count) {
  const { first, last } = RUN_PORTS;
  for (let tries = 0; tries < 50; tries++) {
    const from = first + Math.floor(Math.random() * (last - first - count));
    const ports = Array.from({ length: count }, (_, i) => from + i);
    if (!(await Promise.all(ports.map(portTaken))).includes(true)) return ports;
  }
  throw new Trouble(`There are no ${count} free ports in a row between ${first} and ${last}.`);
}
