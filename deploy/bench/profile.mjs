// Where a profiled process spent its time: the functions of each of its threads, by the time in themselves.
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { DATA, ROOT } from '../local/settings.mjs';
import { say } from './say.mjs';

const FUNCTIONS_SHOWN = 25;

/** Flags that make Node write a profile of each thread when it ends, and the folder where it will lie. */
export function profiling(name) {
  const folder = join(DATA, 'bench-profiles', `${name}-${process.pid}`);
  mkdirSync(folder, { recursive: true });
  return { folder, flags: ['--cpu-prof', `--cpu-prof-dir=${folder}`] };
}

export function tellProfiles(folder) {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.cpuprofile')) : [];
  if (files.length === 0) say(`no profile was written to ${folder}`);
  for (const file of files) {
    say(`\n${join(folder, file)} (open it in a browser's developer tools)`);
    for (const line of hottest(JSON.parse(readFileSync(join(folder, file), 'utf8')))) say(`  ${line}`);
  }
}

/** Shares of the time that was not idle. */
function hottest({ nodes, samples, timeDeltas }) {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const selfUs = new Map();
  let busyUs = 0;
  samples.forEach((id, i) => {
    const frame = byId.get(id);
    if (frame.functionName === '(idle)') return;
    const place = placeOf(frame);
    selfUs.set(place, (selfUs.get(place) ?? 0) + timeDeltas[i]);
    busyUs += timeDeltas[i];
  });
  const sorted = [...selfUs].sort(([, a], [, b]) => b - a).slice(0, FUNCTIONS_SHOWN);
  return sorted.map(([place, us]) => `${((us / busyUs) * 100).toFixed(1).padStart(5)} %  ${place}`);
}

function placeOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (!url) return name;
  const file = url.startsWith('file://') ? relative(ROOT, new URL(url).pathname) : url.startsWith('/') ? relative(ROOT, url) : url;
  return `${name} ${file.includes('node_modules') ? file.slice(file.lastIndexOf('node_modules/') + 13) : file || basename(url)}:${lineNumber + 1}`;
}
