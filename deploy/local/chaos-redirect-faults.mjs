// What is done to the click edge, one phase after the other, and what each shows at once.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, waitFor } from './api.mjs';
import { count } from './chaos-redirect-client.mjs';
import { verifyIds } from './chaos-redirect-checks.mjs';
import { runningPid } from './processes.mjs';
import { say, step } from './progress.mjs';
import { Replica } from './services.mjs';

const OUTAGE_PER_SECOND = 250;
const SERVING_MAX_S = 10;
const STORES = ['kafka', 'postgres', 'redis'];

/** All stores are gone; the edge is killed twice and told to stop once. Whoever asks gets an id, and keeps it. */
export async function outage(world) {
  const { stores, visitors, checks, options, edges } = world;
  await stores.kill();
  const visits = await step(`${options.clicks} clicks without any store, while the edge dies`, () => clicksWhileKilled(world));
  const lost = count(visitors.visits, 'lost');
  checks.add(
    `${options.clicks} clicks were answered 302 with an id while Kafka, PostgreSQL and Redis were away`,
    visits.length === options.clicks && count(visits, 'id') === options.clicks && !STORES.some((store) => stores.isRunning(store)),
    `${count(visits, 'id')} with an id, ${count(visits, 'plain')} without, ${lost} connections died, ${count(visitors.visits, 'refused')} were refused`,
  );
  for (const { edge, signal, seconds } of world.strikes)
    checks.add(`${edge} serves from its disk after ${signal}, every store away`, seconds <= SERVING_MAX_S, `after ${seconds.toFixed(1)} s`);
  await step('the stores come back', () => stores.start());
  await step('what was promised arrives', () => verifyIds(world, 'after the outage: '));
  const others = world.exits.filter(({ name }) => !edges.some((edge) => edge.name === name));
  checks.add('no service ended because its stores were away', others.length === 0, JSON.stringify(others));
}

async function clicksWhileKilled(world) {
  const { visitors, options, edges } = world;
  const urls = edges.map(({ url }) => url);
  let answered = 0;
  const loading = visitors.load({
    perSecond: OUTAGE_PER_SECOND,
    goesOn: (started) => started < options.clicks,
    visit: async () => {
      const visit = await visitors.visitUntilAnswered(urls);
      answered += 1;
      return visit;
    },
  });
  const blows = [
    { share: 0.2, edge: edges[0], signal: 'SIGKILL' },
    { share: 0.5, edge: edges[1], signal: 'SIGKILL' },
    { share: 0.75, edge: edges[0], signal: 'SIGTERM' },
  ];
  world.strikes = [];
  for (const { share, edge, signal } of blows) {
    await waitFor(`${share} of the clicks`, () => answered >= share * options.clicks, 600_000);
    say(`    ${answered} clicks answered; ${signal} to ${edge.name}`);
    world.strikes.push({ edge: edge.name, signal, seconds: await strike(world, edge, signal) });
  }
  return loading;
}

/** Ends a replica; gives the seconds from its end to its next redirect with an id. The supervisor starts it again. */
async function strike({ visitors }, edge, signal) {
  const { ended } = edge;
  edge.signal(signal);
  await ended;
  const started = performance.now();
  await waitFor(`${edge.name} redirects again`, async () => (await visitors.visit(edge.url)).outcome === 'id', 60_000, 100).catch(
    () => null,
  );
  return (performance.now() - started) / 1000;
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** An id in which any one character is another is nobody's. */
export async function forgedIds(world) {
  const { visitors, checks, program, platform, edges, random } = world;
  const { clickId } = await visitors.visit(edges[0].url);
  const convert = async (id, externalId) =>
    call(`${platform.urls['conversion-ingest']}/v1/conversions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${program.apiKey}` },
      body: { external_id: externalId, type: 'sale', amount_minor: 1_000, currency: 'EUR', click_id: id },
    });
  const believed = [];
  let tried = 0;
  for (let at = 0; at < clickId.length; at++) {
    const others = [...ALPHABET].filter((letter) => letter !== clickId[at]);
    for (let i = 0; i < 3; i++) {
      const [letter] = others.splice(Math.floor(random() * others.length), 1);
      const altered = clickId.slice(0, at) + letter + clickId.slice(at + 1);
      const answer = await convert(altered, `forged-${at}-${i}`);
      tried += 1;
      if (answer.status !== 422 || answer.headers.get('baton-reason') !== 'click_forged') believed.push(`${at}${letter}: ${answer.status}`);
    }
  }
  checks.add(
    'an id with one character altered is refused as click_forged',
    believed.length === 0,
    believed.slice(0, 3).join() || `${tried} ids`,
  );
  const genuine = await convert(clickId, 'genuine');
  checks.add('the same id unaltered is accepted', genuine.status === 201, String(genuine.status));
}

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
  const during = await step('the same, the broker frozen', () => loaded(options.stopMs)).finally(() => stores.thaw('kafka'));
  const backlogs = await backlogsOf(edges);
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

const DISABLED_MAX_S = 60;

/** What was disabled is obeyed everywhere. */
export async function disabledLink({ visitors, checks, program, edges }) {
  const link = program.links.at(-1);
  const started = Date.now();
  await program.admin.post(`/v1/links/${link.id}/state`, { state: 'disabled' });
  const seconds = await Promise.all(
    edges.map(({ name, url }) =>
      waitFor(`${name} refuses it`, async () => (await visitors.visit(url, link)).status === 404, DISABLED_MAX_S * 1_000).then(
        () => (Date.now() - started) / 1000,
        () => Infinity,
      ),
    ),
  );
  checks.add(
    `a disabled link is refused by every replica within ${DISABLED_MAX_S} s`,
    seconds.every((s) => s <= DISABLED_MAX_S),
    seconds.map((s) => `${s.toFixed(1)} s`).join(', '),
  );
}
