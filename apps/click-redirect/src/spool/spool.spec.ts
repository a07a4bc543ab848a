import { eventually } from '@baton/testing';
import { type Faults, LossyDisk, randomOf, SOUND } from '../specs/lossy-disk';
import { fact, keep, openSpool, RecordingProducer, shipAll, startShipper } from '../specs/spool.fixture';
import type { RecordOf } from './record';
import type { Shed, Spool } from './spool';
import fc from 'fast-check';

const segmentsOf = async (disk: LossyDisk): Promise<string[]> => (await disk.list()).filter((name) => name.endsWith('.seg'));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('whatever was answered for is sent, whatever breaks', () => {
  interface World {
    readonly random: () => number;
    readonly appended: Map<string, string>;
    readonly kept: Set<string>;
    readonly producer: RecordingProducer;
  }

  const SMALL = { batchBytes: 4_096, segmentBytes: 8_192, checkMs: 1 };

  /** A process works on a disk until a crash; gives what the crash leaves. */
  async function life(world: World, disk: LossyDisk, faults: Faults): Promise<LossyDisk> {
    const { random, producer } = world;
    const timing = { segmentAgeMs: random() < 0.5 ? 1 : 10_000, waitMs: random() < 0.3 ? 1 : 10_000 };
    const { spool, tide } = await openSpool(disk, { ...SMALL, ...timing, bytesMax: random() < 0.3 ? 20_000 : 1e9 });
    disk.faults = faults;
    let isOver = false;
    const loss = random();
    producer.fails = () => random() < loss;
    const shipper = random() < 0.7 ? startShipper(disk, tide, producer) : null;
    for (let step = Math.floor(random() * 60); step > 0; step--) {
      for (let i = Math.floor(random() * 12); i > 0; i--) append(world, spool, fact(Math.floor(random() * 600)), () => isOver);
      for (let i = Math.floor(random() * 6); i > 0; i--) await turn();
      if (random() < 0.1) disk.faults = disk.faults === SOUND ? faults : SOUND;
    }
    if (random() < 0.2) await spool.close();
    isOver = true;
    // What the dead process would still send must not count.
    producer.fails = () => true;
    const left = disk.crash(random() < 0.7 ? 'power' : 'kill');
    await Promise.all([spool.close(), shipper?.stop()]);
    expect(disk.misuses).toEqual([]);
    return left;
  }

  function append(world: World, spool: Spool, record: RecordOf, isOver: () => boolean): void {
    world.appended.set(record.id, record.value);
    let answers = 0;
    spool.append(record, (shed) => {
      expect(++answers).toBe(1);
      if (shed === null && !isOver()) world.kept.add(record.id);
    });
  }

  const chance = fc.constantFrom(0, 0, 0.05, 0.3);
  const faults: fc.Arbitrary<Faults> = fc.record({
    write: chance,
    datasync: chance,
    create: chance,
    syncFolder: chance,
    remove: chance,
    turns: fc.constantFrom(0, 1, 4),
  });

  it('over two crashes, for any schedule of facts, failures and rotations', async () => {
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer(), fc.array(faults, { minLength: 2, maxLength: 2 }), async (seed, lives) => {
        const world: World = { random: randomOf(seed), appended: new Map(), kept: new Set(), producer: new RecordingProducer() };
        let disk = new LossyDisk(world.random);
        for (const failing of lives) disk = await life(world, disk, failing);
        world.producer.fails = () => false;
        await shipAll(disk, world.producer);
        const { producer, appended } = world;
        expect([...world.kept].filter((id) => !producer.values.has(id))).toEqual([]);
        // And nothing else: neither other facts nor other bytes.
        expect([...producer.values].filter(([id, value]) => appended.get(id) !== value)).toEqual([]);
        expect(producer.wrong).toEqual([]);
        expect(await segmentsOf(disk)).toEqual([]);
        kept += world.kept.size;
      }),
      { numRuns: 300 },
    );
    expect(kept).toBeGreaterThan(1_000);
  }, 120_000);
});
