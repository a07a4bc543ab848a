// A real Redis as a local process: the system's own program.
import { mkdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { DATA, PORTS } from './settings.mjs';
import { ensurePrograms } from './packages.mjs';
import { needFreePort, runningPid, startDetached, until } from './processes.mjs';

/** A server with a folder and a port of its own; `name` is how the process is known again. */
export function localRedis({ name, folder, port }) {
  const check = () => ping({ host: '127.0.0.1', port });
  return {
    name,
    address: `127.0.0.1:${port}`,
    async start() {
      await ensurePrograms(['redis']);
      await needFreePort(port, 'Redis');
      mkdirSync(folder, { recursive: true });
      // Redis shows its address, not its arguments, as its command line: the port is what it is known by.
      const options = {
        port,
        bind: '127.0.0.1',
        dir: folder,
        appendonly: 'no',
        save: '',
        maxmemory: '256mb',
        'maxmemory-policy': 'allkeys-lru',
      };
      const args = Object.entries(options).flatMap(([key, value]) => [`--${key}`, String(value)]);
      startDetached({ name, command: 'redis-server', args, mark: `:${port}` });
      await until(name, check, 20_000);
    },
    check,
    isOurs: () => runningPid(name) !== null,
    stopSignal: 'SIGTERM',
  };
}

/** The one of this clone. */
export const redis = localRedis({ name: 'redis', folder: join(DATA, 'redis'), port: PORTS.redis });

/** PING over a plain socket: an error names what came instead of +PONG. */
export const ping = ({ host, port }) =>
  new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, timeout: 2_000 });
    const end = (error) => {
      socket.destroy();
      if (error) reject(error);
      else resolve(undefined);
    };
    socket.once('connect', () => socket.write('PING\r\n'));
    socket.once('data', (data) => end(/^(\+PONG|-NOAUTH)/.test(data.toString()) ? null : new Error(`Redis answered ${data}`)));
    socket.once('error', end);
    socket.once('timeout', () => end(new Error('time-out')));
  });
