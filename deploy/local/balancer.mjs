// One fixed address before the replicas of a service, for docker compose: what a load balancer is in production. It passes bytes on and knows
// nothing of HTTP; a replica that does not take a connection is passed over.
//   node balancer.mjs <port>=<name>:<port> …     e.g. 3001=conversion-ingest:3000; the name's addresses are looked up for each connection
import { lookup } from 'node:dns/promises';
import { connect, createServer } from 'node:net';

const CONNECT_MS = 2_000;
const STOP_MS = 5_000;

let turn = 0;
const open = new Set();
const servers = process.argv.slice(2).map((route) => {
  const [, port, name, target] = /^(\d+)=([^:]+):(\d+)$/.exec(route) ?? [];
  if (!port) throw new Error(`"${route}" must be <port>=<name>:<port>`);
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => void serve(client, name, Number(target)));
  return server.listen(Number(port), '0.0.0.0');
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, stop);

async function serve(client, name, port) {
  client.on('error', () => client.destroy());
  const replica = await replicaOf(name, port);
  if (!replica || client.destroyed) {
    replica?.destroy();
    return void client.destroy();
  }
  open.add(client);
  replica.on('error', () => client.destroy());
  replica.on('close', () => client.destroy());
  client.on('close', () => {
    open.delete(client);
    replica.destroy();
  });
  client.setNoDelay(true);
  replica.setNoDelay(true);
  client.pipe(replica);
  replica.pipe(client);
}

/** A connection to the replica whose turn it is, or to the next that takes one. */
async function replicaOf(name, port) {
  const addresses = await lookup(name, { all: true, family: 4 }).catch(() => []);
  addresses.sort((a, b) => (a.address < b.address ? -1 : 1));
  const first = turn++;
  for (let i = 0; i < addresses.length; i++) {
    const replica = await connected(addresses[(first + i) % addresses.length].address, port);
    if (replica) return replica;
  }
  return undefined;
}

const connected = (host, port) =>
  new Promise((resolve) => {
    const socket = connect({ host, port, allowHalfOpen: true });
    const fail = () => {
      socket.destroy();
      resolve(undefined);
    };
    const timer = setTimeout(fail, CONNECT_MS);
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
    socket.once('close', () => clearTimeout(timer));
  });

/** Takes no more; whoever is connected may finish for a moment. */
function stop() {
  for (const server of servers) server.close();
  const until = Date.now() + STOP_MS;
  const check = () => (open.size === 0 || Date.now() > until ? process.exit(0) : setTimeout(check, 50));
  check();
}
