// The edge without any store, killed and told to stop meanwhile: whoever is given an id keeps it.
import { waitFor } from './api.mjs';
import { verifyIds } from './chaos-redirect-checks.mjs';
import { count } from './chaos-redirect-client.mjs';
import { pause } from './processes.mjs';
import { say, step } from './progress.mjs';

const OUTAGE_PER_SECOND = 250;
const SERVING_MAX_S = 10;
const STORES = ['kafka', 'postgres', 'redis'];

/** All stores are gone; the edge is killed twice and told to stop once. Whoever asks gets an id, and keeps it. */
export async function outage(world) {
  const { stores, visitors, checks, options, edges } = world;
  crashInNextLife(edges[1]);
  await stores.kill();
  const visits = await step(`${options.clicks} clicks without any store, while the edge dies`, () => clicksWhileKilled(world));
  const lost = count(visitors.visits, 'lost');
  checks.add(
    `${options.clicks} clicks were answered 302 with an id while Kafka, PostgreSQL and Redis were away`,
    visits.length === options.clicks && count(visits, 'id') === options.clicks && !STORES.some((store) => stores.isRunning(store)),
    `${count(visits, 'id')} with an id, ${count(visits, 'plain')} without, ${lost} connections died, ${count(visitors.visits, 'refused')} were refused`,
  );
  await step('the stores come back, and the edge dies once more while it sends', () => dieWhileSending(world));
  for (const { edge, signal, when, seconds } of world.strikes)
    checks.add(`${edge} serves from its disk after ${signal}, ${when}`, seconds <= SERVING_MAX_S, `after ${seconds.toFixed(1)} s`);
  let again = 0;
  await step('what was promised arrives', async () => void (again = await verifyIds(world, 'after the outage: ')));
  const died = world.exits.filter(({ name, how }) => name === edges[1].name && how === 'SIGKILL').length;
  checks.add(
    'what Kafka had acknowledged to a process that died then was sent again from its disk',
    died === 2 && again > 0,
    `${again} messages`,
  );
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
  const strikes = async () => {
    for (const { share, edge, signal } of blows) {
      await waitFor(`${share} of the clicks`, () => answered >= share * options.clicks, 600_000);
      say(`    ${answered} clicks answered; ${signal} to ${edge.name}`);
      world.strikes.push({ edge: edge.name, signal, when: 'every store away', seconds: await strike(world, edge, signal) });
    }
  };
  return (await Promise.all([loading, strikes()]))[0];
}

const CRASH_AT = 'shipper:acknowledged#1';

/** In its next life it dies when Kafka has acknowledged and it has not noted so: the whole chunk is read from disk and sent again. */
function crashInNextLife(edge) {
  const start = edge.start.bind(edge);
  let lives = 0;
  edge.start = () => start(lives++ === 0 ? { CRASH_AT } : {});
}

async function dieWhileSending(world) {
  const edge = world.edges[1];
  const { ended } = edge;
  const die = async () => {
    await Promise.race([ended, pause(90_000)]);
    world.strikes.push({ edge: edge.name, signal: 'SIGKILL', when: 'while it sends', seconds: await firstRedirect(world, edge) });
  };
  await Promise.all([world.stores.start(), die()]);
}

/** Ends a replica; gives the seconds from its end to its next redirect with an id. The supervisor starts it again. */
async function strike(world, edge, signal) {
  const { ended } = edge;
  edge.signal(signal);
  await ended;
  return firstRedirect(world, edge);
}

async function firstRedirect({ visitors }, edge) {
  const started = performance.now();
  const redirects = async () => (await visitors.visit(edge.url)).outcome === 'id';
  await waitFor(`${edge.name} redirects again`, redirects, 60_000, 100).catch(() => null);
  return (performance.now() - started) / 1000;
}
