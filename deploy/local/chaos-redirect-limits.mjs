// The edge at its limits: a broker that is frozen under load, a spool that is full.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, waitFor } from './api.mjs';
import { count } from './chaos-redirect-client.mjs';
import { runningPid } from './processes.mjs';
import { say, step } from './progress.mjs';
import { Replica } from './services.mjs';

const P99_FACTOR_MAX = 1.5;
const RSS_GROWTH_MAX_MB = 50;
const DRAIN_MAX_S = 120;
const WINDOW_S = 5;

/** A broker that answers nothing, under load. */
export async function frozenBroker(world) {
  const { stores, visitors, checks, options, edges } = world;
  const urls = edges.map(({ url }) => url);
  const loaded = (ms) => {
    const end = Date.now() + ms;
    return visitors.load({ perSecond: options.rate, goesOn: () => Date.now() < end, visit: () => visitors.visit(visitors.any(urls)) });
  };
  await step('warm up', () => loaded(10_000));
  const before = await step(`${options.rate} clicks a second, the broker well`, () => loaded(20_000));
  const rss = watchMemory(edges);
  stores.freeze('kafka');
  const during = await step('the same, the broker frozen', () => loaded(options.stopMs));
  const backlogs = await backlogsOf(edges);
  stores.thaw('kafka');
  const thawed = Date.now();
  const drained = await waitFor(
    'the backlog drains',
    async () => (await backlogsOf(edges)).every((b) => b === 0),
    DRAIN_MAX_S * 1_000,
  ).catch(() => false);
  const seconds = (Date.now() - thawed) / 1000;
  const grownMb = rss.stop();
  checks.add('every click of it got an id', count(during, 'id') === during.length, `${count(during, 'id')} of ${during.length}`);
  const [was, is] = [before, during].map((visits) => latency(visits, options.rate));
  checks.add(
    `p99 with a frozen broker is within ${P99_FACTOR_MAX} times that of before`,
    is.windowed <= was.windowed * P99_FACTOR_MAX,
    `median of ${WINDOW_S} s windows ${was.windowed.toFixed(1)} → ${is.windowed.toFixed(1)} ms; overall ${was.overall.toFixed(1)} → ${is.overall.toFixed(1)} ms`,
  );
  checks.add(
    `an edge's memory grows by less than ${RSS_GROWTH_MAX_MB} MB`,
    Math.max(...grownMb) < RSS_GROWTH_MAX_MB,
    grownMb.map((mb) => `${mb.toFixed(1)} MB`).join(', '),
  );
  checks.add(
    `${backlogs.reduce((sum, b) => sum + b, 0)} bytes drain in less than ${DRAIN_MAX_S} s`,
    drained && backlogs.some((b) => b > 0),
    `${seconds.toFixed(1)} s`,
  );
}

const backlogsOf = (edges) => Promise.all(edges.map(async ({ url }) => (await call(`${url}/readyz`)).body?.spool_backlog_bytes));

/** `windowed`: the median of the p99 of each few seconds, which one hiccup of the machine does not move. In ms. */
function latency(visits, perSecond) {
  const p99 = (some) => some.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(some.length * 0.99)] ?? Infinity;
  const size = perSecond * WINDOW_S;
  const windows = Array.from({ length: Math.max(1, Math.floor(visits.length / size)) }, (_, i) =>
    p99(visits.slice(i * size, (i + 1) * size)),
  );
  return { overall: p99(visits), windowed: windows.sort((a, b) => a - b)[Math.floor(windows.length / 2)] };
}

/** The most that each process grows from now on, in MB. */
function watchMemory(edges) {
  const pids = edges.map(({ name }) => runningPid(name));
  const now = () => pids.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024);
  const first = now();
  let most = first;
  const timer = setInterval(() => {
    most = now().map((mb, i) => Math.max(mb, most[i]));
  }, 500);
  return {
    stop() {
      clearInterval(timer);
      return most.map((mb, i) => mb - first[i]);
    },
  };
}

const FULL_PER_SECOND = 300;
const PLAIN_WANTED = 1_000;
const FULL_CLICKS_MAX = 20_000;

/** A third replica, whose spool lies on a disk of 1 MB, while Kafka takes nothing. */
export async function spoolFull(world) {
  const { stores, visitors, checks, platform, edges } = world;
  const spool = join(world.folder, 'small-disk');
  mkdirSync(spool, { recursive: true });
  const wrap = smallDisk(spool);
  if (!wrap) return void say('  - a full spool: skipped, since neither mount nor a user namespace is allowed here');
  const edge = new Replica('click-redirect', 2, { ...platform.settings, env: { ...platform.settings.env, SPOOL_DIR: spool }, wrap });
  await edge.start();
  await edge.ready();
  edges.push(edge);
  await waitFor('the third replica redirects', async () => (await visitors.visit(edge.url)).outcome === 'id');
  await stores.kill('kafka');
  const visits = await step('clicks until its spool is full, and on', () => {
    const seen = [];
    const isEnough = () => count(seen, 'plain') >= PLAIN_WANTED;
    return visitors.load({
      perSecond: FULL_PER_SECOND,
      goesOn: (started) => started < FULL_CLICKS_MAX && !isEnough(),
      visit: async () => {
        seen.push(await visitors.visit(edge.url));
        return seen.at(-1);
      },
    });
  });
  const [ids, plain] = [count(visits, 'id'), count(visits, 'plain')];
  checks.add(
    'with a full spool every visitor still arrives',
    ids + plain === visits.length && ids > 0 && plain >= PLAIN_WANTED,
    `${ids} with an id, then ${plain} without`,
  );
  const shed = await shedOf(edge.url);
  checks.add('each of those without an id is counted as shed', shed === plain, `${shed} counted`);
  await step('Kafka comes back', () => stores.start('kafka'));
  const started = Date.now();
  await waitFor('ids come back', async () => (await visitors.visit(edge.url)).outcome === 'id', 60_000, 200).catch(() => null);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  await waitFor('the small spool drains', async () => (await backlogsOf([edge]))[0] === 0, 60_000).catch(() => null);
  const after = [];
  for (let i = 0; i < 50; i++) after.push(await visitors.visit(edge.url));
  checks.add(
    'once Kafka takes them, visitors get ids again',
    count(after, 'id') === after.length,
    `${count(after, 'id')} of ${after.length}, first after ${seconds} s`,
  );
}

/** Puts a command into a mount namespace of its own, in which `folder` is a disk of 1 MB; null where that is not allowed. It ends with the process. */
function smallDisk(folder) {
  const script = 'mount -t tmpfs -o size=1m baton "$0" && exec "$@"';
  return [
    ['unshare', '-rm'],
    ['unshare', '-m'],
  ]
    .map((own) => (command) => [...own, 'sh', '-c', script, folder, ...command])
    .find((wrap) => {
      const [command, ...args] = wrap(['true']);
      return spawnSync(command, args).status === 0;
    });
}

async function shedOf(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return [...text.matchAll(/^baton_clicks_shed_total(?:\{[^}]*\})? (\S+)/gm)].reduce((sum, [, value]) => sum + Number(value), 0);
}
