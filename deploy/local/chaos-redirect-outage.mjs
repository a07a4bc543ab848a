// The edge without any store, killed and told to stop meanwhile: whoever is given an id keeps it.
import { call, waitFor } from './api.mjs';
import { verifyIds } from './chaos-redirect-checks.mjs';
import { count } from './chaos-redirect-client.mjs';
import { say, step } from './progress.mjs';

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
  await step('the stores come back, and the edge dies once more while it sends', () => killWhileSending(world));
  for (const { edge, signal, when, seconds } of world.strikes)
    checks.add(`${edge} serves from its disk after ${signal}, ${when}`, seconds <= SERVING_MAX_S, `after ${seconds.toFixed(1)} s`);
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
  const strikes = async () => {
    for (const { share, edge, signal } of blows) {
      await waitFor(`${share} of the clicks`, () => answered >= share * options.clicks, 600_000);
      say(`    ${answered} clicks answered; ${signal} to ${edge.name}`);
      world.strikes.push({ edge: edge.name, signal, when: 'every store away', seconds: await strike(world, edge, signal) });
    }
  };
  return (await Promise.all([loading, strikes()]))[0];
}

/** What Kafka has and the dead process did not know it has is sent again, and must be the same. */
async function killWhileSending(world) {
  const edge = world.edges[1];
  const backlog = async () => (await call(`${edge.url}/readyz`)).body.spool_backlog_bytes;
  const most = await backlog();
  const kill = async () => {
    await waitFor(`${edge.name} sends`, async () => (await backlog()) < most, 60_000, 5).catch(() => null);
    world.strikes.push({ edge: edge.name, signal: 'SIGKILL', when: 'while it sends', seconds: await strike(world, edge, 'SIGKILL') });
  };
  await Promise.all([world.stores.start(), kill()]);
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
