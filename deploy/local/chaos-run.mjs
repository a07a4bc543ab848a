// What chaos runs with stores of their own have in common: a folder, checks that are said as they come, and an end that leaves nothing running.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startedNames, stopDetached } from './processes.mjs';
import { failWith, green, red, say, step } from './progress.mjs';
import { DATA, LOGS } from './settings.mjs';

/** Where a run keeps its stores' data and its journal; gone after a run without a failure. */
export const chaosFolder = (name) => join(DATA, name);

/** Makes a world (`makeWorld(checks)`), plays in it (`play(world)`), ends everything that bears the run's name, says what held and exits. */
export async function playChaos({ name, title, makeWorld, play }) {
  const folder = chaosFolder(name);
  const checks = new Checks();
  let world;
  const stop = async () => {
    world?.platform?.release();
    await step('stop', () => stopEverything(name));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => void stop().then(() => process.exit(130)));
  try {
    await stopEverything(name);
    rmSync(folder, { recursive: true, force: true });
    forgetLogs(name);
    mkdirSync(folder, { recursive: true });
    world = await makeWorld(checks);
    await play(world);
  } catch (error) {
    failWith(error);
    checks.add('the run came to its end', false, error.message.split('\n')[0]);
  }
  await world?.close?.();
  await stop();
  report(checks.list, { name, title, folder });
}

/** Says each check as it comes. */
class Checks {
  list = [];
  add(what, holds, saw) {
    this.list.push({ what, holds: Boolean(holds), saw });
    say(`  ${holds ? green('✓') : red('✗')} ${what}${saw ? ` (${saw})` : ''}`);
  }
}

/** Whatever of this name still runs, of this run or one that died. A frozen process takes nothing but SIGKILL. */
const stopEverything = (name) => Promise.all(startedNames(`${name}-`).map((each) => stopDetached(each, { first: 'SIGKILL' })));

/** Logs are appended to: those of the last run would be read as this one's. */
function forgetLogs(name) {
  if (!existsSync(LOGS)) return;
  for (const file of readdirSync(LOGS)) if (file.startsWith(`${name}-`)) rmSync(join(LOGS, file));
}

function report(checks, { name, title, folder }) {
  const passed = checks.filter((check) => check.holds).length;
  const failed = checks.length - passed;
  if (failed > 0) say(`logs: ${join(LOGS, `${name}-*.log`)}; the journal and the stores' data: ${folder}`);
  else rmSync(folder, { recursive: true, force: true });
  const results = process.env.BATON_RESULTS;
  if (results) {
    mkdirSync(results, { recursive: true });
    writeFileSync(join(results, `${name}.json`), JSON.stringify({ passed, failed, skipped: 0 }));
  }
  console.log(`${title}: ${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || checks.length === 0 ? 1 : 0);
}
