// What every case of the redirect starts from: a broker, a catalog, the service as it runs, and somebody who asks.
import { mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { kafka } from '../local/kafka.mjs';
import { startStore } from '../local/infra.mjs';
import { pause } from '../local/processes.mjs';
import { DATA } from '../local/settings.mjs';
import { Balance, balanceText } from './balance.mjs';
import { startCluster } from './cluster.mjs';
import { cpuOf } from './cpu.mjs';
import { startEdge } from './edge.mjs';
import { startLoad } from './load.mjs';
import { fail, say } from './say.mjs';

const ID_BYTES = 32;
const SHIPPED_WITHIN_MS = 120_000;

/** A folder of this run alone, on the disk where Baton keeps its data, gone at the end. */
export function runFolder(run) {
  const folder = join(DATA, 'bench', String(process.pid));
  mkdirSync(folder, { recursive: true });
  run.later(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The broker that KAFKA_BROKERS names, else this clone's own, which stays up. */
export async function usualBrokers() {
  if (process.env.KAFKA_BROKERS) return process.env.KAFKA_BROKERS;
  const answers =
    kafka.isOurs() &&
    (await kafka.check().then(
      () => true,
      () => false,
    ));
  if (!answers) await startStore('kafka');
  return kafka.address;
}

/** Edges by name (`cores` pins them, one each), one load generator for each of them, and the means to tell whether every click arrived. */
export async function setScene({ run, folder, brokers, links, edges = 1, cores = [], flags = [] }) {
  const cluster = await startCluster({ brokers, run });
  say(`a catalog of ${links} links`);
  const slugs = await cluster.publishCatalog(links);
  const scene = { run, cluster, folder, edges: [], balance: new Balance(cluster, run), counts: null };
  for (let i = 0; i < edges; i++) {
    const edge = await startEdge({ run, cluster, folder, links, core: cores[i], flags, name: `click-redirect-${i}` });
    const idsFile = join(folder, `ids-${i}`);
    const load = await startLoad({ run, kind: 'visits', slugs, seed: i + 1, idsFile });
    scene.edges.push({ ...edge, load, idsFile });
  }
  return scene;
}

/** Asks a server for a while; `order` is for the kind of load. Gives what came back and the microseconds of CPU that each request cost. Throws when the run is void. */
export async function ask(server, load, { connections, seconds, isOurs = false, settle = async () => {}, order = {} }) {
  const before = cpuOf(server.pid);
  const result = await load.run({ port: server.port, connections, seconds, keepsIds: isOurs, ...order });
  const atEnd = cpuOf(server.pid);
  if (result.failures > 0)
    fail(`${server.name}: ${result.failures} of ${result.answered} answers were wrong, the first: ${result.failure}`);
  if (isOurs && result.withId < result.answered)
    fail(`${server.name}: ${result.answered - result.withId} of ${result.answered} visitors were sent on without a click id`);
  // The clicks that still wait to be shipped are work of these requests too.
  await settle();
  const after = cpuOf(server.pid);
  return {
    ...result,
    perSecond: (result.answered * 1_000) / result.tookMs,
    threadUs: before && (atEnd.threadUs - before.threadUs) / result.answered,
    processUs: before && (after.processUs - before.processUs) / result.answered,
  };
}

/** Waits until the topic holds a click for every id that was given. */
export async function shipped({ cluster, edges }, withinMs = SHIPPED_WITHIN_MS) {
  const given = idsGiven(edges);
  const present = await cluster.grownTo(cluster.clicks, given, withinMs);
  if (present < given) fail(`${given - present} of ${given} clicks were not in the topic ${withinMs / 1_000} s after the last answer`);
}

/** Click ids that visitors have, by the generators' files. */
export const idsGiven = (edges) => edges.reduce((sum, { idsFile }) => sum + statSync(idsFile).size / ID_BYTES, 0);

/**
 * Compares id by id. Throws when they do not match: the run is void. `mayRepeat`: a broker that hung may have taken what it never
 * acknowledged, and gets it again, at least once and under the same id; then repeats are told, not refused, and the rest is waited for.
 */
export async function mustBalance(scene, { mayRepeat = false } = {}) {
  const files = scene.edges.map(({ idsFile }) => idsFile);
  const deadline = Date.now() + (mayRepeat ? SHIPPED_WITHIN_MS : 0);
  do {
    scene.counts = await scene.balance.check(files);
    if (scene.counts.lost === 0 || Date.now() > deadline) break;
    await pause(1_000);
  } while (mayRepeat);
  const { lost, unasked, givenTwice, duplicates } = scene.counts;
  if (lost + unasked + givenTwice + (mayRepeat ? 0 : duplicates) > 0) fail(`the counts do not balance: ${balanceText(scene.counts)}`);
}

export const tellCounts = ({ counts, run }) => run.notes.push(`counts balance: ${balanceText(counts)}`);
