// System packages that a bare machine may lack. Each is named with its reason before it is installed.
import { spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline/promises';
import { say, Trouble } from './progress.mjs';

const WANTED = {
  redis: { command: 'redis-server', debian: 'redis-server', why: 'Redis keeps the dedupe hints of conversion-ingest' },
  java: { command: 'java', debian: 'openjdk-17-jre-headless', why: 'Apache Kafka runs on Java 17 or later' },
  maven: { command: 'mvn', debian: 'maven', why: 'Maven fetches the jars of Apache Kafka' },
  strace: { command: 'strace', debian: 'strace', why: 'a test of click-redirect watches the order in which it writes, syncs and answers' },
};

export const hasCommand = (command) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

let updated = false;

/** Makes sure that programs are there. Asks on a terminal; installs without asking with --yes, in CI, or where there is no terminal. */
export async function ensurePrograms(names) {
  const missing = names.map((name) => WANTED[name]).filter(({ command }) => !hasCommand(command));
  if (missing.length === 0) return;
  for (const { command, debian, why } of missing) say(`  ${command} is missing: ${why}. Debian package: ${debian}`);
  const packages = missing.map(({ debian }) => debian);
  if (!hasCommand('apt-get'))
    throw new Trouble(
      `Please install ${missing.map(({ command }) => command).join(', ')} with your system's package manager, then try again. (Or name running stores: KAFKA_BROKERS, POSTGRES_ADMIN_URL, REDIS_URL.)`,
    );
  if (!(await agreed(packages))) throw new Trouble(`Nothing was installed. To do it by hand: apt-get install ${packages.join(' ')}`);
  const sudo = process.getuid?.() === 0 ? [] : ['sudo'];
  if (!updated) install([...sudo, 'apt-get', 'update', '-qq']);
  updated = true;
  install([
    ...sudo,
    'env',
    'DEBIAN_FRONTEND=noninteractive',
    'apt-get',
    'install',
    '-y',
    '-qq',
    '--no-install-recommends',
    '-o',
    'DPkg::Lock::Timeout=300',
    ...packages,
  ]);
}

async function agreed(packages) {
  const silent = process.argv.includes('--yes') || process.env.CI || !process.stdin.isTTY;
  if (silent) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`  Install ${packages.join(', ')} now? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

function install([command, ...args]) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0)
    throw new Trouble(`${command} ${args.join(' ')} failed:\n${error?.message ?? ''}${(stdout ?? '') + (stderr ?? '')}`.slice(0, 4000));
}
