// The bench's hand on a load generator.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const GENERATOR = fileURLToPath(new URL('./load-generator.mjs', import.meta.url));

/** Click ids that visitors get are appended to `idsFile`, 32 bytes each, before a run's result is there. */
export async function startLoad({ run, slugs, seed, idsFile }) {
  const child = fork(GENERATOR);
  run.later(async () => {
    if (!child.connected) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.disconnect();
    await ended;
  });
  const next = (name, onOther = () => {}) =>
    new Promise((resolve, reject) => {
      const settle = (done, value) => {
        child.off('message', read);
        child.off('exit', gone);
        done(value);
      };
      const gone = (code) => settle(reject, new Error(`the load generator ended with ${code}`));
      const read = (message) => {
        if (message.error) settle(reject, new Error(`the load generator failed: ${message.error}`));
        else if (name in message) settle(resolve, message[name]);
        else onOther(message);
      };
      child.on('message', read);
      child.once('exit', gone);
    });
  const ready = next('ready');
  child.send({ slugs, seed, idsFile });
  await ready;
  const load = {
    pid: child.pid,
    /** Visitors of the run under way who got an id so far. */
    withId: 0,
    /** `{ port, connections, seconds, keepsIds, perSecond? }`; `perSecond` makes it an open loop; ids of a reference are not kept. Gives counts and milliseconds. */
    run(order) {
      load.withId = 0;
      const result = next('result', ({ progress }) => (load.withId = progress ?? load.withId));
      child.send({ run: order });
      return result;
    },
    stop: () => child.send({ stop: true }),
  };
  return load;
}
