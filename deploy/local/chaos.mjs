// `npm run chaos`: breaks things on purpose and checks every promise. One scenario, or each in turn.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { failWith, Trouble } from './progress.mjs';
import { ROOT } from './settings.mjs';

const SCENARIOS = {
  smoke: 'the whole line, two of everything: kill -9, crash points, PostgreSQL cut off, poison, a replay of every topic',
  ingest: 'the conversion edge, two replicas: each of them and each store killed and frozen in turn; every answer compared',
  redirect: 'the click edge alone with its disk: all stores stopped, killed meanwhile, a frozen broker, a full spool',
};

const HELP = `Breaks things while clicks and conversions go on, then checks that every promise was kept.

  npm run chaos                      every scenario in turn
  npm run chaos -- <scenario> …      one of them; -- <scenario> --help tells its options

${Object.entries(SCENARIOS)
  .map(([name, what]) => `  ${name.padEnd(10)} ${what}`)
  .join('\n')}
`;

async function main([scenario, ...options]) {
  if (scenario === '--help') return void process.stdout.write(HELP);
  if (scenario && !SCENARIOS[scenario]) throw new Trouble(`There is no scenario "${scenario}". Try: npm run chaos -- --help`);
  for (const name of scenario ? [scenario] : Object.keys(SCENARIOS)) process.exitCode = (await run(name, options)) || process.exitCode;
}

/** The scenario's own process; a signal to this one is passed on, so that the scenario can clean up. */
function run(name, options) {
  const child = spawn(process.execPath, [join(ROOT, `deploy/local/chaos-${name}.mjs`), ...options], { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? 1));
  });
}

await main(process.argv.slice(2)).catch(failWith);
