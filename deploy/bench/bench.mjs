// `npm run bench`: ours beside a reference, in turns, in the same run. What counts is the ratio: absolute figures drift with the machine.
import { cpus, loadavg, totalmem } from 'node:os';
import { fail, say } from './say.mjs';
import { machine, table } from './report.mjs';
import { parseOptions } from './options.mjs';

/** Each gives `{ about, cases, options, run(options, run) }`. A new bench is a new line here. */
const BENCHES = {
  redirect: () => import('./redirect.mjs'),
  ingest: () => import('./ingest.mjs'),
  clicks: () => import('./clicks.mjs'),
};

/** What every bench takes; a bench adds its own. */
const OPTIONS = {
  rounds: { default: 5, least: 1, about: 'rounds of each case; medians of fewer than five say little' },
  seconds: { default: 5, least: 1, about: 'how long one round measures' },
  case: { default: '', about: 'one case alone' },
  json: { default: false, about: 'print one JSON object per case and nothing else on standard output' },
  help: { default: false, about: 'show this' },
};

async function main([name, ...args]) {
  if (name === undefined || name.startsWith('-')) return help();
  if (!BENCHES[name]) fail(`There is no bench "${name}". There are: ${Object.keys(BENCHES).join(', ')}`);
  const { default: bench } = await BENCHES[name]();
  const options = parseOptions({ ...OPTIONS, ...bench.options }, args);
  if (options.help) return help();
  const chosen = options.case ? [options.case] : Object.keys(bench.cases);
  for (const one of chosen)
    if (!bench.cases[one]) fail(`The bench ${name} has no case "${one}". It has: ${Object.keys(bench.cases).join(', ')}`);
  const run = new Run(name, options);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void run.interrupt());
  warnOf(run);
  try {
    for (const one of chosen) {
      await bench.cases[one].run(options, run);
      await run.end();
    }
  } catch (error) {
    // Its own doing: the processes that it waited for are gone.
    if (run.isInterrupted) return;
    run.problems.push(error.message);
    // A void run has figures to look into, and no verdicts.
    for (const result of run.results) result.verdict = 'VOID';
    if (!error.isForPeople) say(error.stack);
  } finally {
    await run.end();
  }
  print(run, options, process.argv.slice(2));
}

/** What one call gathers: results, reasons to disbelieve them, and what must be taken away at the end. */
class Run {
  results = [];
  notes = [];
  problems = [];
  #undo = [];
  isInterrupted = false;

  constructor(bench, options) {
    this.bench = bench;
    this.options = options;
  }

  add(result) {
    this.results.push({ bench: this.bench, ...result });
  }

  /** Undone in the opposite order, whatever happens in between. What is begun after an interrupt is undone at once. */
  later(undo) {
    this.#undo.push(undo);
    if (this.isInterrupted) void this.end();
  }

  async interrupt() {
    this.isInterrupted = true;
    say('stopping and clearing away');
    await this.end();
    process.exit(130);
  }

  async end() {
    for (let undo = this.#undo.pop(); undo; undo = this.#undo.pop())
      await undo().catch((error) => say(`could not clean up: ${error.message}`));
  }
}

function print(run, { json }, args) {
  if (json) for (const result of run.results) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(`${machine()}\nnpm run bench -- ${args.join(' ')}\n\n${table(run.results)}\n`);
  for (const note of new Set(run.notes)) (json ? say : (text) => process.stdout.write(`${text}\n`))(`Note: ${note}`);
  for (const problem of run.problems) say(`VOID: ${problem}`);
  // A missed aim is a result; counts that do not balance are none.
  process.exitCode = run.problems.length > 0 ? 1 : 0;
}

async function help() {
  const lines = ['Measures Baton against references that stand beside it, in turns.\n', '  npm run bench -- <bench> [options]\n'];
  const list = (options) =>
    Object.entries(options).forEach(([name, { default: value, about }]) =>
      lines.push(`  --${name.padEnd(18)} ${about}${value === false || value === '' ? '' : ` (${value})`}`),
    );
  for (const [name, load] of Object.entries(BENCHES)) {
    const { default: bench } = await load();
    lines.push(`${name}: ${bench.about}`);
    for (const [one, { about }] of Object.entries(bench.cases)) lines.push(`  --case ${one.padEnd(13)} ${about}`);
    list(bench.options);
  }
  lines.push('every bench:');
  list(OPTIONS);
  lines.push('\nExit code: 0 when everything ran and every count balanced, whether or not an aim was met; else 1.\n');
  process.stdout.write(lines.join('\n'));
}

/** What takes from the worth of the figures is said before, and again beside them. */
function warnOf(run) {
  const [load] = loadavg();
  say(`${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GB, load ${load.toFixed(2)}`);
  if (load > cpus().length / 2)
    run.notes.push(
      `the machine was not quiet (load ${load.toFixed(2)} before the start): ratios hold better than figures, and neither holds well`,
    );
  if (run.options.rounds < OPTIONS.rounds.default) run.notes.push(`${run.options.rounds} rounds are too few to believe a median`);
  for (const note of run.notes) say(`Note: ${note}`);
}

await main(process.argv.slice(2)).catch((error) => {
  say(error.isForPeople ? error.message : error.stack);
  process.exitCode = 1;
});
