// `npm test`: sets everything up and runs every check, stage by stage, each with a budget. The last line counts what really ran.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { lint } from './lint.mjs';
import { ensurePrograms } from './packages.mjs';
import { bold, failWith, green, red, say } from './progress.mjs';
import { DATA, ROOT } from './settings.mjs';
import { provideTestStores } from './test-stores.mjs';

const RESULTS = join(DATA, 'results');
const env = { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', BATON_RESULTS: RESULTS };

/** Budgets in seconds on 2 cores, with the downloads of a bare clone. Together 25 minutes; a stage over its budget fails. */
const STAGES = [
  { name: 'install', budgetS: 140, run: ensureInstalled },
  { name: 'stores', budgetS: 60, run: stores },
  { name: 'build', budgetS: 70, run: build },
  { name: 'lint', budgetS: 70, run: lint },
  { name: 'unit', budgetS: 90, run: () => nx('test', 2) },
  { name: 'integration', budgetS: 710, run: integration },
  { name: 'start', budgetS: 50, run: () => node('deploy/local/start-check.mjs') },
  { name: 'chaos', budgetS: 310, run: () => node('deploy/local/chaos-smoke.mjs') },
];

let stopStores = async () => {};

async function stores() {
  const provided = await provideTestStores();
  stopStores = provided.stop;
  Object.assign(env, provided.env);
}

const HELP = `Sets everything up and runs every check.

  npm test                          all stages: ${STAGES.map((s) => s.name).join(', ')}
  npm test -- --only unit,lint      some of them (install, stores and build always run)
  npm test -- --skip chaos          all but some

Integration tests use the stores that KAFKA_BROKERS, POSTGRES_ADMIN_URL and REDIS_URL name, else containers where Docker answers, else
local processes (BATON_TEST_STORES=containers or local decides).
`;

async function integration() {
  // Other systems do without: what it watches is Linux's.
  if (process.platform === 'linux') await ensurePrograms(['strace']);
  await nx('integration', 1);
}

const nx = (target, parallel) =>
  child('npx', ['nx', 'run-many', '-t', target, `--parallel=${parallel}`, '--output-style=static', '--nxBail=false']);
const node = (script) => child(process.execPath, [script]);

function child(command, args) {
  return new Promise((resolve, reject) => {
    const running = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'inherit', 'inherit'] });
    running.once('error', reject);
    running.once('close', (code) =>
      code === 0 ? resolve(undefined) : reject(new Error(`${command} ${args.join(' ')} ended with ${code}`)),
    );
  });
}

const listOf = (flag) => {
  const at = process.argv.indexOf(flag);
  return at === -1 ? null : (process.argv[at + 1] ?? '').split(',');
};

async function main() {
  if (process.argv.includes('--help')) return void process.stdout.write(HELP);
  checkNode();
  rmSync(RESULTS, { recursive: true, force: true });
  const only = listOf('--only');
  const skip = listOf('--skip') ?? [];
  const always = ['install', 'stores', 'build'];
  const broken = [];
  const times = [];
  for (const stage of STAGES) {
    if (skip.includes(stage.name) || (only && !only.includes(stage.name) && !always.includes(stage.name))) continue;
    const seconds = await runStage(stage, broken);
    times.push(`${stage.name} ${seconds.toFixed(0)}/${stage.budgetS} s`);
    if (broken.length > 0 && always.includes(stage.name)) break;
  }
  await stopStores();
  finish(broken, times);
}

async function runStage({ name, budgetS, run }, broken) {
  say(bold(`\n== ${name} (budget ${budgetS} s)`));
  const started = Date.now();
  try {
    await run();
  } catch (error) {
    broken.push(name);
    say(`${red(`${name} failed:`)} ${error.message}`);
  }
  const seconds = (Date.now() - started) / 1000;
  if (seconds > budgetS) {
    broken.push(name);
    say(red(`${name} took ${seconds.toFixed(0)} s; its budget is ${budgetS} s`));
  }
  return seconds;
}

/** A stage that failed without a failing test (a lint error, a crash) counts as one failure, or the count would lie. */
function finish(broken, times) {
  const counts = existsSync(RESULTS) ? readdirSync(RESULTS).map((file) => JSON.parse(readFileSync(join(RESULTS, file), 'utf8'))) : [];
  const sum = (key) => counts.reduce((total, count) => total + count[key], 0);
  const failed = sum('failed') || new Set(broken).size;
  for (const { file, test, reason } of counts.flatMap(({ failures = [] }) => failures)) say(`${red('✗')} ${file}: ${test}\n    ${reason}`);
  say(`\n${times.join(', ')}`);
  if (broken.length > 0) say(red(`failed stages: ${[...new Set(broken)].join(', ')}`));
  else say(green('all stages passed'));
  const skipped = sum('skipped');
  console.log(`${sum('passed')} passed, ${failed} failed${skipped ? `, ${skipped} skipped` : ''}`);
  process.exitCode = failed > 0 || broken.length > 0 ? 1 : 0;
}

await main().catch(failWith);
// A container that could not be started would keep this process for minutes.
process.exit();
