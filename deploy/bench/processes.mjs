// The servers that are measured: each a process of its own, known by its child object, with its log in the run's folder.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { pause, portTaken } from '../local/processes.mjs';
import { NODE_FLAGS } from '../local/settings.mjs';
import { fail } from './say.mjs';

const READY_MS = 60_000;

/** Starts `node <args>`, with the flags that our services run with, and PORT in its environment. `core` pins it. Gives the process when `isReady(port)` says so. It ends with the run. */
export async function startServer({ run, name, args, env, folder, core, isReady }) {
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const file = join(folder, `${name}.log`);
  const log = openSync(file, 'a');
  const command = [...(core === undefined ? [] : ['taskset', '-c', String(core)]), process.execPath, ...NODE_FLAGS, ...args];
  const child = spawn(command[0], command.slice(1), {
    stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, HOME: process.env.HOME, NODE_ENV: 'production', HOST: '127.0.0.1', PORT: String(port), ...env },
  });
  closeSync(log);
  const ended = new Promise((resolve) => child.once('exit', resolve));
  run.later(() => stop(child, ended));
  const deadline = Date.now() + READY_MS;
  while (!(await (isReady ?? portTaken)(port))) {
    const tail = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(-12).join('\n') : '');
    if (child.exitCode !== null) fail(`${name} ended with ${child.exitCode} while it was starting:\n${tail()}`);
    if (Date.now() > deadline) fail(`${name} was not ready within ${READY_MS / 1_000} s:\n${tail()}`);
    await pause(100);
  }
  return { name, pid: child.pid, port };
}

async function stop(child, ended) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const insist = setTimeout(() => child.kill('SIGKILL'), 30_000);
  await ended;
  clearTimeout(insist);
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
