// Two processes on two cores against one.
import { cpus } from 'node:os';
import { hasCommand } from '../local/packages.mjs';
import { tellsCpu } from './cpu.mjs';
import { compare, inTurns } from './measure.mjs';
import { ask, mustBalance, runFolder, setScene, shipped, tellCounts, usualBrokers } from './scene.mjs';

const CONNECTIONS = 64;
const WARM_SECONDS = 2;
const AIM = 1.7;
/** One for each process, one for each load generator, and one for the broker: then throughput itself can be compared. */
const CORES_ENOUGH = 5;

export const scale = {
  about: 'two processes on two cores against one',
  async run({ links, rounds, seconds }, run) {
    const isPinned = hasCommand('taskset') && cpus().length > 1;
    const folder = runFolder(run);
    const scene = await setScene({ run, folder, brokers: await usualBrokers(), links, edges: 2, cores: isPinned ? [0, 1] : [] });
    const [first, second] = scene.edges;
    const one = () => together(scene, [first], seconds);
    const two = () => together(scene, [first, second], seconds);
    await together(scene, [first, second], WARM_SECONDS);
    const samples = await inTurns(rounds, { one, two });
    const compared = (what, more) =>
      compare({ ours: samples.two.map((s) => s[what]), reference: samples.one.map((s) => s[what]), ...more });
    const hasCores = cpus().length >= CORES_ENOUGH;
    if (tellsCpu)
      run.add(
        compared('perCpuSecond', {
          name: 'two processes against one, requests per CPU second',
          unit: '/s',
          ...(hasCores ? {} : { atLeast: AIM }),
        }),
      );
    run.add(compared('perSecond', { name: 'two processes against one, requests', unit: '/s', ...(hasCores ? { atLeast: AIM } : {}) }));
    run.notes.push(notesOf({ isPinned, hasCores }));
    tellCounts(scene);
  },
};

/** Each edge has its own generator and as many connections as it has alone, so that only their number differs. */
async function together(scene, edges, seconds) {
  let running = edges.length;
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  // Clicks are counted in the topic they share, so nobody's are known to be there before all have ended.
  const settle = async () => {
    if (--running === 0) end();
    await ended;
    await shipped(scene);
  };
  const samples = await Promise.all(edges.map((edge) => ask(edge, edge.load, { connections: CONNECTIONS, seconds, isOurs: true, settle })));
  await mustBalance(scene);
  const sum = (of) => samples.reduce((total, sample) => total + of(sample), 0);
  const perSecond = sum((sample) => sample.perSecond);
  const perCpuSecond = tellsCpu ? sum(({ processUs }) => 1_000_000 / processUs) : null;
  return {
    perSecond,
    perCpuSecond,
    text: `${Math.round(perSecond)}/s${perCpuSecond ? `, ${Math.round(perCpuSecond)} per CPU second` : ''}`,
  };
}

const notesOf = ({ isPinned, hasCores }) =>
  [
    isPinned ? 'each process was pinned to a core of its own (taskset)' : 'no process was pinned to a core',
    hasCores
      ? 'with cores to spare for load and broker, requests a second are compared'
      : `with ${cpus().length} cores, load and broker take theirs from the processes, so the aim is held against what each process does with a second of its CPU; requests a second stand beside it`,
  ].join('; ');
