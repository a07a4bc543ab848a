// A real Redis as a local process: the system's own program.
import { mkdirSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { DATA, PORTS } from './settings.mjs';
import { ensurePrograms } from './packages.mjs';
import { needFreePort, runningPid, startDetached, until } from './processes.mjs';

const FOLDER = join(DATA, 'redis');

export const redis = {
  name: 'redis',
  address: `127.0.0.1:${PORTS.redis}`,
  async start() {
    await ensurePrograms(['redis']);
    await needFreePort(PORTS.redis, 'Redis');
    mkdirSync(FOLDER, { recursive: true });
    // Redis shows its address, not its arguments, as its command line: the port is what it is known by.
    startDetached({
      name: 'redis',
      command: 'redis-server',
      args: [
        '--port',
        String(PORTS.redis),
        '--bind',
        '127.0.0.1',
        '--dir',
        FOLDER,
        '--appendonly',
        'no',
        '--save',
        '',
        '--maxmemory',
        '256mb',
        '--maxmemory-policy',
        'allkeys-lru',
      ],
      mark: `:${PORTS.redis}`,
    });
    await until('redis', () => ping({ host: '127.0.0.1', port: PORTS.redis }), 20_000);
  },
  check: () => ping({ host: '127.0.0.1', port: PORTS.redis }),
  isOurs: () => runningPid('redis') !== null,
  stopSignal: 'SIGTERM',
};

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
