// CPU per request and requests a second, ours and three references, at several numbers of connections.
import { fileURLToPath } from 'node:url';
import { tellsCpu } from './cpu.mjs';
import { bounded, compare, inTurns, median } from './measure.mjs';
import { startServer } from './processes.mjs';
import { nowUs, profiling, tellProfiles } from './profile.mjs';
import { say } from './say.mjs';
import { ask, mustBalance, runFolder, setScene, shipped, tellCounts, usualBrokers } from './scene.mjs';

/** Code is compiled by then, and caches are filled. */
const WARM_SECONDS = 2;
/** CPU of the answering thread and of the whole process, against bare node:http. */
const AIM_THREAD = 0.6;
const AIM_PROCESS = 0.45;
/** CPU and throughput, against awaiting one send per click. */
const AIM_AWAITING = 4;
const AWAITING_CONNECTIONS = 128;

export const throughput = {
  about: 'CPU per request and requests a second at each number of connections',
  async run({ links, connections, rounds, seconds, profile }, run) {
    if (profile) return profiled({ links, connections, seconds }, run);
    const folder = runFolder(run);
    const scene = await setScene({ run, folder, brokers: await usualBrokers(), links });
    const ours = oursOf(scene);
    // It also gives a click whose size the awaiting reference can copy.
    await ours(WARM_SECONDS, 32);
    const contestants = { ours, ...(await references(scene)) };
    if (!tellsCpu) run.notes.push('this platform does not tell the CPU time of threads: throughput alone was compared');
    for (const count of connections) {
      say(`${count} connections`);
      const samples = await inTurns(
        rounds,
        Object.fromEntries(Object.entries(contestants).map(([name, round]) => [name, () => round(seconds, count)])),
      );
      for (const result of resultsOf(samples, count)) run.add(result);
    }
    tellCounts(scene);
  },
};

/** The profiler costs more than some of what it measures, so nothing is compared. */
async function profiled({ links, connections, seconds }, run) {
  const { folder, flags } = profiling('click-redirect');
  const windows = [];
  run.later(async () => tellProfiles(folder, windows));
  const scene = await setScene({ run, folder: runFolder(run), brokers: await usualBrokers(), links, flags });
  const ours = oursOf(scene);
  await ours(WARM_SECONDS, 32);
  for (const count of connections) {
    const fromUs = nowUs();
    const { text, tookMs, answered } = await ours(seconds, count);
    windows.push({ fromUs, toUs: fromUs + tookMs * 1_000, requests: answered });
    say(`${count} connections: ${text}`);
  }
  tellCounts(scene);
}

const oursOf = (scene) => async (seconds, connections) => {
  const [edge] = scene.edges;
  const sample = await ask(edge, edge.load, { connections, seconds, isOurs: true, settle: () => shipped(scene) });
  await mustBalance(scene);
  return told(sample);
};

/** Each its own process, asked by the same generator with the same requests. */
async function references({ run, cluster, folder, balance, edges: [{ load }] }) {
  const rounds = {};
  const start = async (name, env = {}) => {
    const main = fileURLToPath(new URL(`./reference-${name}.mjs`, import.meta.url));
    const server = await startServer({ run, name: `reference-${name}`, folder, args: [main], env });
    const round = async (seconds, connections) => told(await ask(server, load, { connections, seconds }));
    await round(WARM_SECONDS, 32);
    rounds[name] = round;
  };
  await start('http');
  await start('fastify');
  await cluster.createTopic('awaited', 6);
  const { value, headers } = balance.sample;
  const texts = Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, String(bytes)]));
  await start('awaiting', {
    KAFKA_BROKERS: cluster.brokers,
    TOPIC: `${cluster.prefix}awaited`,
    MESSAGE: JSON.stringify({ value: String(value), headers: texts }),
  });
  return rounds;
}

function told(sample) {
  const cpu = sample.threadUs === null ? '' : `, ${sample.threadUs.toFixed(1)} us of the thread, ${sample.processUs.toFixed(1)} us in all`;
  return { ...sample, text: `${Math.round(sample.perSecond)}/s${cpu}, p99 ${sample.p99Ms.toFixed(1)} ms` };
}

const AGAINST = { http: 'node:http', fastify: 'Fastify', awaiting: 'awaited sends' };

function resultsOf(samples, connections) {
  const at = `${connections} connection${connections === 1 ? '' : 's'}`;
  const of = (name, what) => samples[name].map((sample) => sample[what]);
  const results = Object.entries(AGAINST).flatMap(([name, label]) => {
    const against = (what, more) =>
      compare({ name: `${more.text}, ${at}, against ${label}`, ours: of('ours', what), reference: of(name, what), ...more });
    const isAim2 = name === 'awaiting' && connections === AWAITING_CONNECTIONS;
    const cpu = tellsCpu
      ? [
          against('threadUs', {
            text: 'CPU of the answering thread',
            unit: 'us',
            better: 'lower',
            ...(name === 'http' ? { atLeast: AIM_THREAD } : {}),
          }),
          against('processUs', {
            text: 'CPU of the whole process',
            unit: 'us',
            better: 'lower',
            ...(name === 'http' ? { atLeast: AIM_PROCESS } : isAim2 ? { atLeast: AIM_AWAITING } : {}),
          }),
        ]
      : [];
    return [...cpu, against('perSecond', { text: 'requests', unit: '/s', ...(isAim2 ? { atLeast: AIM_AWAITING } : {}) })];
  });
  const latency = ['p50Ms', 'p99Ms'].map((what) =>
    bounded({ name: `${what.slice(0, -2)} in a closed loop, ${at}`, unit: 'ms', value: median(of('ours', what)) }),
  );
  return [...results, ...latency];
}
