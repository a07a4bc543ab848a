// Whether `npm start` stays up with nobody at the keyboard, and stops everything in order when it is told to.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pause, runningPid } from './processes.mjs';
import { failWith, green, red, say } from './progress.mjs';
import { sweepServices } from './services.mjs';
import { LOGS, NODE_FLAGS, ROOT, SERVICES } from './settings.mjs';

const UP_MS = 90_000;
const STOP_MS = 40_000;
/** Longer than anything keeps a process alive by accident: connections that HTTP clients hold open, above all. */
const WATCHED_MS = 10_000;

async function main() {
  const running = servicesUp();
  // Somebody works with it: to start it once more would end theirs.
  if (running.length > 0) return finish([], [`npm start runs here (${running.join(', ')}); stop it, and this is checked too`]);
  mkdirSync(LOGS, { recursive: true });
  const file = join(LOGS, 'start-check.log');
  const log = openSync(file, 'w');
  const child = spawn(process.execPath, [join(ROOT, 'deploy/local/start.mjs'), '--keep'], { stdio: ['ignore', log, log] });
  closeSync(log);
  const ended = new Promise((resolve) => child.once('exit', (code, signalName) => resolve(signalName ?? code)));
  const within = (ms) => Promise.race([ended, pause(ms).then(() => 'still there')]);
  const text = () => readFileSync(file, 'utf8');
  const deadline = Date.now() + UP_MS;
  while (!text().includes('Baton is up.') && Date.now() < deadline && (await within(200)) === 'still there');
  const isUp = text().includes('Baton is up.');
  const later = await within(WATCHED_MS);
  const kept = servicesUp();
  const unflagged = kept.filter((service) => !commandOf(runningPid(`${service}-0`)).includes(NODE_FLAGS.join(' ')));
  child.kill('SIGTERM');
  const end = await within(STOP_MS);
  if (end === 'still there') child.kill('SIGKILL');
  const left = servicesUp();
  await sweepServices();
  const checks = [
    { what: 'npm start brings the platform up', holds: isUp, saw: isUp ? '' : text().slice(-2_000) },
    { what: 'it stays up with nobody at the keyboard', holds: later === 'still there' && kept.length === SERVICES.length, saw: `${later}` },
    {
      what: 'each service runs under the flags of Node that it was measured with',
      holds: unflagged.length === 0,
      saw: unflagged.join(' '),
    },
    { what: 'told to stop, it stops every service and ends with 0', holds: end === 0 && left.length === 0, saw: [end, ...left].join(' ') },
  ];
  finish(checks, []);
}

const servicesUp = () => SERVICES.filter((service) => runningPid(`${service}-0`) !== null);

/** Where the kernel does not tell it (anything but Linux), the flags alone. */
function commandOf(pid) {
  const file = `/proc/${pid}/cmdline`;
  return existsSync(file) ? readFileSync(file, 'utf8').replaceAll('\0', ' ') : NODE_FLAGS.join(' ');
}

function finish(checks, skipped) {
  for (const { what, holds, saw } of checks) say(`  ${holds ? green('✓') : red('✗')} ${what}${saw === '' ? '' : ` (${saw})`}`);
  for (const why of skipped) say(red(`  not checked: ${why}`));
  const passed = checks.filter(({ holds }) => holds).length;
  const failures = checks.flatMap(({ what, holds, saw }) => (holds ? [] : [{ file: 'npm start', test: what, reason: saw }]));
  const counts = { passed, failed: failures.length, skipped: skipped.length, failures };
  const folder = process.env.BATON_RESULTS;
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'start-check.json'), JSON.stringify(counts));
  }
  process.exit(counts.failed > 0 ? 1 : 0);
}

await main().catch((error) => {
  failWith(error);
  process.exit(1);
});
