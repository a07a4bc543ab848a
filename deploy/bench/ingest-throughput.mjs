// Requests a second, latency and CPU per request, ours and three references, at several numbers of connections.
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { tellsCpu } from './cpu.mjs';
import { CONNECTIONS_OF_OURS, mustBalanceFacts, note, sent, setIngestScene, tellFacts } from './ingest-scene.mjs';
import { bounded, compare, inTurns, median } from './measure.mjs';
import { startServer } from './processes.mjs';
import { nowUs, profiling, tellProfiles } from './profile.mjs';
import { say } from './say.mjs';
import { ask } from './scene.mjs';

const { Client } = createRequire(import.meta.url)('pg');

/** Code is compiled by then, and caches are filled. */
const WARM_SECONDS = 3;
const WARM_CONNECTIONS = 64;
/** The number of connections at which the aims hold. */
const AIM_CONNECTIONS = 64;
/** Requests a second, against one INSERT a request. */
const AIM_INSERT = 1.5;
/** CPU of the whole process, against node:http with ajv. */
const AIM_AJV = 0.35;
/** p99, against one INSERT a request: no worse. */
const AIM_P99 = 1;

export const throughput = {
  about: 'requests a second, latency and CPU per request at each number of connections',
  async run({ connections, accounts, rounds, seconds, profile }, run) {
    if (profile) return profiled({ connections, accounts, seconds }, run);
    const scene = await setIngestScene({ run, accounts });
    const contestants = { ours: oursOf(scene), ...(await references(scene)) };
    for (const round of Object.values(contestants)) await round(WARM_SECONDS, WARM_CONNECTIONS);
    if (!tellsCpu) run.notes.push('this platform does not tell the CPU time of processes: throughput and latency alone were compared');
    for (const count of connections) {
      say(textOf(count));
      const samples = await inTurns(
        rounds,
        Object.fromEntries(Object.entries(contestants).map(([name, round]) => [name, () => round(seconds, count)])),
      );
      for (const result of resultsOf(samples, count)) run.add(result);
    }
    tellFacts(scene);
  },
};

/** The profiler costs more than some of what it measures, so nothing is compared. */
async function profiled({ connections, accounts, seconds }, run) {
  const { folder, flags } = profiling('conversion-ingest');
  const windows = [];
  run.later(async () => tellProfiles(folder, windows));
  const scene = await setIngestScene({ run, accounts, flags });
  const ours = oursOf(scene);
  await ours(WARM_SECONDS, WARM_CONNECTIONS);
  for (const count of connections) {
    const fromUs = nowUs();
    const { text, answered } = await ours(seconds, count);
    windows.push({ fromUs, toUs: nowUs(), requests: answered });
    say(`${textOf(count)}: ${text}`);
  }
  tellFacts(scene);
}

const oursOf = (scene) => async (seconds, connections) => {
  const sample = await ask(scene.ours, scene.load, { connections, seconds, settle: () => sent(scene) });
  note(scene, sample);
  await mustBalanceFacts(scene);
  return told(sample);
};

/** Each its own process, asked by the same generator with requests of the same kind. */
async function references(scene) {
  const { run, folder, load } = scene;
  const rounds = {};
  const start = async (name, env = {}) => {
    const main = fileURLToPath(new URL(`./reference-ingest-${name}.mjs`, import.meta.url));
    const server = await startServer({ run, name: `reference-ingest-${name}`, folder, args: [main], env });
    rounds[name] = async (seconds, connections) => told(await ask(server, load, { connections, seconds }));
  };
  await start('fastify');
  await start('ajv');
  await start('insert', { DATABASE_URL: await referenceDatabase(scene), POOL_MAX: String(CONNECTIONS_OF_OURS) });
  return rounds;
}

/** A database on the same server, with one table under the same unique key. */
async function referenceDatabase({ run, stores, database }) {
  const name = `${database.urls.database}_reference`;
  const url = new URL(stores.POSTGRES_ADMIN_URL);
  const admin = async (work) => {
    const client = new Client({ connectionString: url.toString() });
    await client.connect();
    await work(client).finally(() => client.end());
  };
  await admin((client) => client.query(`CREATE DATABASE "${name}"`));
  run.later(async () => {
    url.pathname = new URL(stores.POSTGRES_ADMIN_URL).pathname;
    await admin((client) => client.query(`DROP DATABASE "${name}" WITH (FORCE)`));
  });
  url.pathname = `/${name}`;
  await admin((client) =>
    client.query(`CREATE TABLE facts (
      tenant_id uuid NOT NULL, fact_id uuid NOT NULL, external_id text NOT NULL, receipt_id uuid NOT NULL, data jsonb NOT NULL,
      received_at timestamptz(3) NOT NULL, PRIMARY KEY (tenant_id, fact_id))`),
  );
  return url.toString();
}

function told(sample) {
  const cpu = sample.processUs === null ? '' : `, ${sample.processUs.toFixed(0)} us of CPU`;
  return {
    ...sample,
    text: `${Math.round(sample.perSecond)}/s${cpu}, p50 ${sample.p50Ms.toFixed(1)} ms, p99 ${sample.p99Ms.toFixed(1)} ms`,
  };
}

const AGAINST = { fastify: 'bare Fastify', ajv: 'node:http + ajv', insert: 'one INSERT a request' };

function resultsOf(samples, connections) {
  const of = (name, what) => samples[name].map((sample) => sample[what]);
  const isAimed = connections === AIM_CONNECTIONS;
  const results = Object.entries(AGAINST).flatMap(([name, label]) => {
    const against = (what, { text, aim, ...more }) =>
      compare({
        name: `${text}, ${textOf(connections)}, against ${label}`,
        ours: of('ours', what),
        reference: of(name, what),
        ...more,
        ...(isAimed && aim !== undefined ? { atLeast: aim } : {}),
      });
    return [
      against('perSecond', { text: 'requests', unit: '/s', aim: name === 'insert' ? AIM_INSERT : undefined }),
      ...(tellsCpu
        ? [against('processUs', { text: 'CPU a request', unit: 'us', better: 'lower', aim: name === 'ajv' ? AIM_AJV : undefined })]
        : []),
      against('p50Ms', { text: 'p50', unit: 'ms', better: 'lower' }),
      against('p99Ms', { text: 'p99', unit: 'ms', better: 'lower', aim: name === 'insert' ? AIM_P99 : undefined }),
    ];
  });
  const repeats = median(samples.ours.map(({ repeated, answered }) => (100 * repeated) / answered));
  return [...results, bounded({ name: `repeats among ours, ${textOf(connections)}`, unit: '%', value: repeats })];
}

const textOf = (connections) => `${connections} connection${connections === 1 ? '' : 's'}`;
