// A TCP proxy to put in front of a store: it can refuse, cut or swallow what passes, without touching the store itself.
import { createConnection, createServer } from 'node:net';

/** Forwards 127.0.0.1:<port> to a target. `cut`: existing connections are reset, new ones refused at once. `heal`: as before. */
export async function startProxy({ host, port }) {
  const pairs = new Set();
  let isCut = false;
  const server = createServer((inner) => {
    if (isCut) return void inner.resetAndDestroy();
    const outer = createConnection({ host, port });
    const pair = { inner, outer };
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      inner.destroy();
      outer.destroy();
    };
    for (const socket of [inner, outer]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    inner.pipe(outer);
    outer.pipe(inner);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    port: server.address().port,
    cut() {
      isCut = true;
      for (const { inner, outer } of pairs) {
        inner.resetAndDestroy();
        outer.destroy();
      }
    },
    heal() {
      isCut = false;
    },
    close() {
      this.cut();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}
