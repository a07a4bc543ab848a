// Far more than a slowed database can take: what is refused is refused kindly, what was accepted is there, and memory stays flat.
import { memoryMbOf, tellsCpu, watchMemory } from './cpu.mjs';
import { mustBalanceFacts, note, sent, setIngestScene, tellFacts } from './ingest-scene.mjs';
import { bounded, compare } from './measure.mjs';
import { fail, say } from './say.mjs';
import { ask } from './scene.mjs';

const USUAL_CONNECTIONS = 64;
const USUAL_SECONDS = 5;
/** Each statement that stores facts takes so much longer, as where a disk is nearly dead. */
const SLOWED_MS = 400;
/** So few may wait (of one advertiser half of them) that the rest must be refused, and still more than usually ask: by default nobody of 512 would be. */
const WAITING_MAX = 160;
const MEMORY_MAX_MB = 100;
/** p99 afterwards, against before. */
const RECOVERED_AT_MOST = 2;

export const overload = {
  about: 'far more connections than a slowed database can serve: memory, refusals, what was accepted, recovery',
  async run({ accounts, overloadConnections: connections, overloadSeconds: seconds }, run) {
    const scene = await setIngestScene({ run, accounts, env: { WAITING_MAX: String(WAITING_MAX * accounts) } });
    const usual = (text) => asked(scene, text, { connections: USUAL_CONNECTIONS, seconds: USUAL_SECONDS });
    await usual('to warm up');
    const before = await usual('before');
    const idleMb = memoryMbOf(scene.ours.pid);
    await slow(scene.database, SLOWED_MS);
    const during = await asked(scene, 'slowed', { connections, seconds, order: { mayRefuse: true } });
    await slow(scene.database, 0);
    const after = await usual('after');
    await mustBalanceFacts(scene);
    tellFacts(scene);
    if (during.refused === 0) fail('nothing was refused: this was no overload');
    report(run, { before, during, after, idleMb, connections });
  },
};

async function asked(scene, when, order) {
  const memory = watchMemory(scene.ours.pid);
  const sample = await ask(scene.ours, scene.load, { ...order, settle: () => sent(scene) }).finally(memory.end);
  note(scene, sample);
  const { mostMb } = memory.end();
  const stored = (sample.created * 1_000) / sample.tookMs;
  say(
    `  ${when}: ${Math.round(sample.perSecond)} answers/s, ${Math.round(stored)} stored/s, ${sample.refused} refused, p99 ${sample.p99Ms.toFixed(1)} ms, at most ${mostMb.toFixed(0)} MB`,
  );
  return { ...sample, mostMb, storedPerSecond: stored };
}

const slow = ({ query }, ms) =>
  query(
    ms === 0
      ? 'DROP TRIGGER slowed ON facts'
      : `CREATE OR REPLACE FUNCTION slowed() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(${ms / 1_000}); RETURN NULL; END $$;
         CREATE TRIGGER slowed BEFORE INSERT ON facts FOR EACH STATEMENT EXECUTE FUNCTION slowed()`,
  );

function report(run, { before, during, after, idleMb, connections }) {
  const at = `${connections} connections on a slowed database`;
  run.add(bounded({ name: `answers, ${at}`, unit: '/s', value: during.perSecond }));
  run.add(bounded({ name: `stored, ${at}`, unit: '/s', value: during.storedPerSecond }));
  run.add(bounded({ name: `refused with Retry-After, ${at}`, unit: '%', value: (100 * during.refused) / during.answered }));
  run.add(bounded({ name: `p99 of all answers, ${at}`, unit: 'ms', value: during.p99Ms }));
  run.add(bounded({ name: 'refused without Retry-After, or lost', unit: '', value: during.failures, atMost: 0 }));
  if (tellsCpu)
    run.add(bounded({ name: `memory gained over its idle, ${at}`, unit: 'MB', value: during.mostMb - idleMb, atMost: MEMORY_MAX_MB }));
  run.add(
    compare({ name: 'p99 after against before', unit: 'ms', ours: [after.p99Ms], reference: [before.p99Ms], atMost: RECOVERED_AT_MOST }),
  );
  run.add(compare({ name: 'requests after against before', unit: '/s', ours: [after.perSecond], reference: [before.perSecond] }));
}
