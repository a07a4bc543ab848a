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

/** Microseconds of a clock that profiles share. */
export const nowUs = () => Number(process.hrtime.bigint() / 1_000n);

/** Of the time of `windows` (`{ fromUs, toUs, requests }`) alone: what a start costs is another matter. */
export function tellProfiles(folder, windows) {
  const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.cpuprofile')) : [];
  if (files.length === 0) say(`no profile was written to ${folder}`);
  for (const file of files) {
    say(`\n${join(folder, file)} (open it in a browser's developer tools)`);
    for (const line of hottest(JSON.parse(readFileSync(join(folder, file), 'utf8')), windows)) say(`  ${line}`);
  }
}

/** Microseconds of each request that were spent in a function itself. */
function hottest({ nodes, samples, timeDeltas, startTime }, windows) {
  const byId = new Map(nodes.map((node) => [node.id, node.callFrame]));
  const requests = windows.reduce((sum, window) => sum + window.requests, 0);
  const selfUs = new Map();
  let atUs = startTime;
  samples.forEach((id, i) => {
    atUs += timeDeltas[i];
    const frame = byId.get(id);
    if (frame.functionName === '(idle)' || !windows.some(({ fromUs, toUs }) => atUs >= fromUs && atUs <= toUs)) return;
    const place = placeOf(frame);
    selfUs.set(place, (selfUs.get(place) ?? 0) + timeDeltas[i]);
  });
  const perRequest = ([place, us]) => `${(us / requests).toFixed(2).padStart(7)} us  ${place}`;
  const all = [...selfUs.values()].reduce((sum, us) => sum + us, 0);
  const sorted = [...selfUs].sort(([, a], [, b]) => b - a).slice(0, FUNCTIONS_SHOWN);
  return [['of each request in all', all], ...sorted].map(perRequest);
}

function placeOf({ functionName, url, lineNumber }) {
  const name = functionName || '(anonymous)';
  if (!url) return name;
  const file = url.startsWith('file://') ? relative(ROOT, new URL(url).pathname) : url.startsWith('/') ? relative(ROOT, url) : url;
  return `${name} ${file.includes('node_modules') ? file.slice(file.lastIndexOf('node_modules/') + 13) : file || basename(url)}:${lineNumber + 1}`;
}
