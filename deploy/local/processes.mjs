// Long-living local processes: started detached, known by a pid file, and believed only when the process behind the pid is really ours.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openSync, closeSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { DATA, LOGS } from './settings.mjs';
import { Trouble } from './progress.mjs';

const pidFile = (name) => join(DATA, 'run', `${name}.json`);

/** Starts a program detached from this one. `mark` is a text of its command line by which it is known again (its data folder). */
export function startDetached({ name, command, args, env = process.env, mark, cwd }) {
  mkdirSync(join(DATA, 'run'), { recursive: true });
  mkdirSync(LOGS, { recursive: true });
  const log = openSync(join(LOGS, `${name}.log`), 'a');
  const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], env, cwd });
  closeSync(log);
  child.unref();
  child.on('error', () => {});
  if (child.pid) writeFileSync(pidFile(name), JSON.stringify({ pid: child.pid, mark }));
  return child;
}

/** The pid of a process that we started and that still runs, else null. A pid that now belongs to somebody else does not count. */
export function runningPid(name) {
  if (!existsSync(pidFile(name))) return null;
  const { pid, mark } = JSON.parse(readFileSync(pidFile(name), 'utf8'));
  return commandOf(pid).includes(mark) ? pid : null;
}

/** Whether nothing is left of it. One that has just begun may not yet show the mark by which it is known: Redis renames itself. */
function hasEnded(name) {
  if (!existsSync(pidFile(name))) return false;
  return commandOf(JSON.parse(readFileSync(pidFile(name), 'utf8')).pid) === '';
}

export function commandOf(pid) {
  return spawnSync('ps', ['-o', 'args=', '-ww', '-p', String(pid)], { encoding: 'utf8' }).stdout ?? '';
}

export const forget = (name) => rmSync(pidFile(name), { force: true });

/** Sends a signal to one of our processes; false when it does not run. */
export function signal(name, signalName) {
  const pid = runningPid(name);
  if (!pid) return false;
  try {
    process.kill(pid, signalName);
    return true;
  } catch {
    return false;
  }
}

/** Signals one of our processes and its children, as those of PostgreSQL, which do the work; false when it does not run. */
export function signalFamily(name, signalName) {
  const parent = runningPid(name);
  if (!parent) return false;
  const all = spawnSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' }).stdout.split('\n');
  const children = all.map((line) => line.trim().split(/\s+/).map(Number)).filter(([, of]) => of === parent);
  for (const [pid] of [[parent], ...children]) {
    try {
      process.kill(pid, signalName);
    } catch {
      // It ended meanwhile.
    }
  }
  return true;
}

/** Asks a process to end, waits, and insists after the deadline. */
export async function stopDetached(name, { first = 'SIGTERM', deadlineMs = 20_000 } = {}) {
  if (!signal(name, first)) return forget(name);
  if (!(await gone(name, deadlineMs))) {
    signal(name, 'SIGKILL');
    await gone(name, 5_000);
  }
  forget(name);
}

async function gone(name, deadlineMs) {
  const end = Date.now() + deadlineMs;
  while (Date.now() < end) {
    if (!runningPid(name)) return true;
    await pause(50);
  }
  return false;
}

/** Names of processes that were started and not yet forgotten, of this run or an earlier one. */
export function startedNames(prefix = '') {
  const folder = join(DATA, 'run');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((file) => file.replace(/\.json$/, ''))
    .filter((name) => name.startsWith(prefix));
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a check that throws while it is not so; names the log when it never is. */
export async function until(name, check, deadlineMs = 60_000) {
  const end = Date.now() + deadlineMs;
  let last;
  while (Date.now() < end) {
    try {
      return await check();
    } catch (error) {
      last = error;
    }
    if (hasEnded(name)) throw new Trouble(`${name} ended while it was starting.\n${logTail(name)}`);
    await pause(100);
  }
  throw new Trouble(`${name} did not answer within ${deadlineMs / 1000} s (${last?.message ?? last}).\n${logTail(name)}`);
}

export function logTail(name, lines = 20) {
  const file = join(LOGS, `${name}.log`);
  if (!existsSync(file)) return `There is no log at ${file}.`;
  return `The last lines of ${file}:\n${readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .slice(-lines)
    .map((line) => `    ${line.slice(0, 400)}`)
    .join('\n')}`;
}

/** Whether anything listens on a local port. */
export const portTaken = (port) =>
  new Promise((resolve) => {
    const socket = createConnection({ host: '127.0.0.1', port, timeout: 1_000 });
    const end = (taken) => {
      socket.destroy();
      resolve(taken);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    // Whoever holds a port of this machine answers at once, frozen too: a time-out is our own event loop, held up by another store's start.
    socket.once('timeout', () => end(false));
  });

/** Refuses to start on a port that somebody else holds, and says who and what to do. */
export async function needFreePort(port, purpose) {
  if (!(await portTaken(port))) return;
  throw new Trouble(
    `Port ${port}, wanted for ${purpose}, is taken${holderOf(port)}. End that program, or choose other ports: BATON_BASE_PORT=<port> npm start`,
  );
}

function holderOf(port) {
  try {
    const out = execFileSync('ss', ['-ltnpH', `sport = :${port}`], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const match = /\("([^"]+)",pid=(\d+)/.exec(out);
    return match ? ` by ${match[1]} (pid ${match[2]})` : '';
  } catch {
    return '';
  }
}
