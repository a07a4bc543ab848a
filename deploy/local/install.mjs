// What a bare clone lacks: a Node version that fits, and the packages of the lock file.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './settings.mjs';
import { step, Trouble } from './progress.mjs';

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  const fits = (major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24;
  if (!fits) throw new Trouble(`Node ${process.versions.node} runs here; Baton needs 20.19 or later, 22.12 or later, or 24.`);
}

/** `npm ci`, unless exactly this lock file is installed already. */
export async function ensureInstalled() {
  const stamp = join(ROOT, 'node_modules/.baton-installed');
  const lock = createHash('sha256')
    .update(readFileSync(join(ROOT, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  await step('install packages (npm ci)', () => runQuiet('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']));
  writeFileSync(stamp, lock);
}

/** Runs a program silently; what it said is shown when it fails. */
export function runQuiet(command, args, { env = process.env, cwd = ROOT, lines = 30 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    const keep = (data) => {
      said = (said + data).slice(-64_000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', (error) => reject(new Trouble(`${command} could not be started: ${error.message}`)));
    child.once('close', (code, signalName) => {
      if (code === 0) resolve(undefined);
      else
        reject(
          new Trouble(
            `${command} ${args.join(' ')} ended with ${signalName ?? code}:\n${ends(said.trimEnd().split('\n'), lines)
              .map((line) => `    ${line}`)
              .join('\n')}`,
          ),
        );
    });
  });
}

/** A long text's beginning and end: the one says what is wrong, the other what it came to. */
const ends = (all, count) =>
  all.length <= count ? all : [...all.slice(0, count / 2), `… ${all.length - count} lines …`, ...all.slice(-count / 2)];
