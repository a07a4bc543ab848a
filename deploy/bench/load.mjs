// The bench's hand on a load generator.
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const GENERATOR = fileURLToPath(new URL('./load-generator.mjs', import.meta.url));

/** `kind` is what it asks (a `load-<kind>.mjs`), `about` what that wants to know. What a run wrote to disk is there before its result is. */
export async function startLoad({ run, kind, ...about }) {
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
  child.send({ open: kind, ...about });
  await ready;
  const load = {
    pid: child.pid,
    /** What the kind counts, of the run under way so far. */
    counts: {},
    /** `{ port, connections, seconds, perSecond?, … }`; `perSecond` makes it an open loop; the rest is the kind's. Gives counts and milliseconds. */
    run(order) {
      load.counts = {};
      const result = next('result', ({ progress }) => (load.counts = progress ?? load.counts));
      child.send({ run: order });
      return result;
    },
    stop: () => child.send({ stop: true }),
  };
  return load;
}
