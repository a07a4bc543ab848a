// The broker stands still for a while: what visitors notice of it, what it costs in memory, and how long the clicks take to arrive after.
import { pause } from '../local/processes.mjs';
import { startBroker } from './broker.mjs';
import { tellsCpu, watchMemory } from './cpu.mjs';
import { bounded, compare, inTurns } from './measure.mjs';
import { fail, say } from './say.mjs';
import { ask, idsGiven, mustBalance, runFolder, setScene, shipped, tellCounts } from './scene.mjs';

const CONNECTIONS = 128;
const WARM_SECONDS = 3;
const SATURATION_SECONDS = 5;
const PART_OF_SATURATION = 0.5;
const AIM_P99 = 1.5;
const MEMORY_MAX_MB = 50;
const DRAINED_WITHIN_SECONDS = 120;
const POLL_MS = 500;

export const outage = {
  about: 'p99, memory and drain time through a broker that hangs (of its own: shared ones are never stopped)',
  async run({ links, perSecond: wanted, rounds, seconds, outageSeconds }, run) {
    const folder = runFolder(run);
    const broker = await startBroker({ folder, run });
    const scene = await setScene({ run, folder, brokers: broker.address, links });
    const [edge] = scene.edges;
    const closed = (lasting) =>
      ask(edge, edge.load, { connections: CONNECTIONS, seconds: lasting, isOurs: true, settle: () => shipped(scene) });
    await closed(WARM_SECONDS);
    const saturation = (await closed(SATURATION_SECONDS)).perSecond;
    const perSecond = wanted || Math.round(saturation * PART_OF_SATURATION);
    say(`${Math.round(saturation)}/s is all it does; asking ${perSecond}/s from here on`);
    run.later(async () => broker.resume());
    const short = await inTurns(rounds, {
      up: () => phase(edge, { perSecond, seconds }),
      hangs: () =>
        hung(
          broker,
          () => phase(edge, { perSecond, seconds }),
          () => shipped(scene),
        ),
    });
    const up = await phase(edge, { perSecond, seconds: outageSeconds });
    say(`  ${outageSeconds} s with the broker: ${up.text}\n    p99 from part to part, ms: ${partsOf(up)}`);
    const { down, after } = await longOutage({ scene, edge, broker, perSecond, seconds: outageSeconds });
    report(run, { short, up, down, after, perSecond, seconds, outageSeconds });
    await shipped(scene);
    await mustBalance(scene, { mayRepeat: true });
    tellCounts(scene);
  },
};

/** The broker is back, and has everything, before the next round. */
async function hung(broker, work, settle) {
  broker.pause();
  const sample = await work();
  broker.resume();
  await settle();
  return sample;
}

async function longOutage({ scene, edge, broker, perSecond, seconds }) {
  broker.pause();
  const down = await phase(edge, { perSecond, seconds });
  say(`  ${seconds} s while it hangs: ${down.text}\n    p99 from part to part, ms: ${partsOf(down)}`);
  broker.resume();
  return { down, after: await drained(scene, edge, perSecond) };
}

/** An open loop at a fixed rate, with the highest resident memory of the service while it ran. */
async function phase(edge, { perSecond, seconds }) {
  const memory = watchMemory(edge.pid);
  const result = await edge.load.run({ port: edge.port, connections: CONNECTIONS, seconds, perSecond, keepsIds: true });
  const sample = checked({ ...result, ...memory.end() });
  const { answered, p50Ms, p99Ms, mostMs } = sample;
  return {
    ...sample,
    text: `${answered} answers, p50 ${p50Ms.toFixed(2)} ms, p99 ${p99Ms.toFixed(2)} ms, at most ${mostMs.toFixed(0)} ms`,
  };
}

const partsOf = ({ p99Parts }) => p99Parts.map((ms) => ms?.toFixed(0) ?? '-').join(' ');

/** Visitors go on coming at the same rate while the backlog is worked off: drained when the topic is less than a second behind them. */
async function drained({ cluster, edges }, edge, perSecond) {
  const givenBefore = idsGiven(edges);
  const startedMs = performance.now();
  const memory = watchMemory(edge.pid);
  const running = edge.load.run({
    port: edge.port,
    connections: CONNECTIONS,
    seconds: DRAINED_WITHIN_SECONDS * 2,
    perSecond,
    keepsIds: true,
  });
  let seconds = null;
  while (seconds === null && performance.now() - startedMs < DRAINED_WITHIN_SECONDS * 2_000) {
    await pause(POLL_MS);
    const { withId = 0 } = edge.load.counts;
    const behind = givenBefore + withId - (await cluster.countOf(cluster.clicks));
    if (withId > 0 && behind < perSecond) seconds = (performance.now() - startedMs) / 1_000;
  }
  edge.load.stop();
  const sample = checked({ ...(await running), ...memory.end() });
  if (seconds === null) fail(`the backlog was not gone ${DRAINED_WITHIN_SECONDS * 2} s after the broker was back`);
  say(`  broker back: drained in ${seconds.toFixed(1)} s, p99 meanwhile ${sample.p99Ms.toFixed(2)} ms`);
  return { ...sample, seconds };
}

function report(run, { short, up, down, after, perSecond, seconds, outageSeconds }) {
  const latency = (name, what, hangs, usual, aim = {}) =>
    run.add(
      compare({
        name: `${name} from the scheduled send, ${perSecond}/s, broker hangs against broker up`,
        unit: 'ms',
        ours: hangs.map((sample) => sample[what]),
        reference: usual.map((sample) => sample[what]),
        ...aim,
      }),
    );
  latency(`p50 of ${seconds} s`, 'p50Ms', short.hangs, short.up);
  latency(`p99 of ${seconds} s`, 'p99Ms', short.hangs, short.up, { atMost: AIM_P99 });
  latency(`p99 of ${outageSeconds} s`, 'p99Ms', [down], [up], { atMost: AIM_P99 });
  if (tellsCpu) {
    const growth = Math.max(down.mostMb, after.mostMb) - up.mostMb;
    run.add(
      bounded({
        name: `memory gained over ${outageSeconds} s without the broker, and after`,
        unit: 'MB',
        value: growth,
        atMost: MEMORY_MAX_MB,
      }),
    );
  }
  run.add(
    bounded({
      name: `drain time after ${outageSeconds} s, visitors still coming`,
      unit: 's',
      value: after.seconds,
      atMost: DRAINED_WITHIN_SECONDS,
    }),
  );
  const shed = [...short.up, ...short.hangs, up, down, after].reduce((sum, { answered, withId }) => sum + answered - withId, 0);
  run.add(bounded({ name: 'visitors sent on without a click id', unit: '', value: shed, atMost: 0 }));
  run.notes.push('latency counts from when a visitor was due, in steps of a millisecond: differences below that are not seen');
}

function checked(sample) {
  if (sample.failures > 0) fail(`${sample.failures} of ${sample.answered} answers were wrong, the first: ${sample.failure}`);
  return sample;
}
