// A Kafka of the bench's own, which it may stop: shared brokers are never touched.
import { join } from 'node:path';
import { localBroker } from '../local/kafka.mjs';
import { signal, stopDetached } from '../local/processes.mjs';
import { freePort } from './processes.mjs';
import { fail } from './say.mjs';

/** Gives its address, `pause` (it hangs: connections stay open and nothing answers) and `resume`. Its data go with the folder. */
export async function startBroker({ folder, run }) {
  const name = `bench-kafka-${process.pid}`;
  const broker = localBroker({ name, folder: join(folder, 'kafka'), port: await freePort(), controllerPort: await freePort() });
  run.later(() => stopDetached(name, { first: 'SIGKILL' }));
  await broker.start();
  const send = (what) => {
    if (!signal(name, what)) fail(`the bench's own broker is gone: ${what} found no process`);
  };
  return { address: broker.address, pause: () => send('SIGSTOP'), resume: () => send('SIGCONT') };
}
