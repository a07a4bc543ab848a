import fc from 'fast-check';
import { eventually } from '@baton/testing';
import { type Faults, LossyDisk, randomOf, SOUND } from '../specs/lossy-disk';
import { fact, keep, openSpool, RecordingProducer, shipAll, startShipper } from '../specs/spool.fixture';
import { RECORD_MAX_BYTES, type RecordOf } from './record';
import type { Shipper } from './shipper';
import type { Shed } from './batch';
import type { Spool } from './spool';

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
    if (shipper && random() < 0.3) await recover(spool, shipper, disk, producer);
    isOver = true;
    // What the dead process would still send must not count.
    producer.fails = () => true;
    const left = disk.crash(random() < 0.7 ? 'power' : 'kill');
    await Promise.all([spool.close(), shipper?.stop()]);
    expect(disk.misuses).toEqual([]);
    return left;
  }

  /** Once disk and broker are well again, the same process sends all and leaves nothing. */
  async function recover(spool: Spool, shipper: Shipper, disk: LossyDisk, producer: RecordingProducer): Promise<void> {
    disk.faults = SOUND;
    producer.fails = () => false;
    await spool.close();
    await eventually(() => shipper.isIdle, 5_000, 1);
    const nothingLeft = await segmentsOf(disk);
    expect(nothingLeft).toEqual([]);
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
      { numRuns: 150 },
    );
    expect(kept).toBeGreaterThan(500);
  }, 120_000);
});

describe('a disk that fails', () => {
  const disks = (): LossyDisk => new LossyDisk(randomOf(7));
  const close = (spool: Spool): Promise<void> => spool.close();

  it('a new segment is on disk with its name before the first fact in it is answered', async () => {
    const disk = disks();
    const { spool } = await openSpool(disk);
    expect(await keep(spool)).toBeNull();
    const name = '0000000000000000.seg';
    expect(disk.journal).toEqual([`create ${name}`, `datasync ${name}`, 'syncFolder', `write ${name}`, `datasync ${name}`]);
    await close(spool);
  });

  it('after a failed datasync the file is never touched again: its fact goes without an id, later ones to another segment', async () => {
    const disk = disks();
    const { spool, tide } = await openSpool(disk);
    const [before, lost, after] = [fact(), fact(), fact()];
    expect(await keep(spool, before)).toBeNull();
    disk.faults = { ...SOUND, datasync: 1 };
    expect(await keep(spool, lost)).toBe('disk');
    disk.faults = SOUND;
    expect(await keep(spool, after)).toBeNull();
    expect([disk.misuses, (await segmentsOf(disk)).length, tide.sealed > 0]).toEqual([[], 2, true]);
    await close(spool);
    const { values } = await shipAll(disk.crash('power'));
    expect([before, after].every(({ id }) => values.has(id))).toBe(true);
  });

  it('is left alone for a moment, and told to the load balancer', async () => {
    const disk = disks();
    const { spool } = await openSpool(disk, { retryMs: 100 });
    disk.faults = { ...SOUND, write: 1 };
    expect(await keep(spool)).toBe('disk');
    const writes = disk.journal.length;
    expect([await keep(spool), spool.unready(), disk.journal.length]).toEqual(['disk', 'the spool cannot be written', writes]);
    disk.faults = SOUND;
    await eventually(async () => expect(await keep(spool)).toBeNull());
    expect(spool.unready()).toBeUndefined();
    await close(spool);
  });

  it('and is full gathers no files in which nothing was kept', async () => {
    const disk = disks();
    const { spool, tide } = await openSpool(disk);
    const kept = fact();
    await keep(spool, kept);
    disk.faults = { ...SOUND, write: 1 };
    for (let i = 0; i < 50; i++) expect(await keep(spool)).toBe('disk');
    await eventually(async () => expect(await segmentsOf(disk)).toEqual(['0000000000000000.seg']));
    // The shipper may have begun to read one of them.
    disk.faults = SOUND;
    const producer = new RecordingProducer();
    const shipper = startShipper(disk, tide, producer);
    await eventually(() => shipper.isIdle);
    expect([...producer.values.keys()]).toEqual([kept.id]);
    await close(spool);
    await shipper.stop();
  });

  it('whose folder cannot take a name: facts go without ids, then on, and the shipper is not caught on the name', async () => {
    const disk = disks();
    const { spool, tide } = await openSpool(disk);
    const producer = new RecordingProducer();
    const shipper = startShipper(disk, tide, producer);
    disk.faults = { ...SOUND, syncFolder: 1, turns: 5 };
    for (let i = 0; i < 20; i++) expect(await keep(spool)).toBe('disk');
    disk.faults = SOUND;
    const kept = fact();
    expect(await keep(spool, kept)).toBeNull();
    await eventually(() => shipper.isIdle && producer.values.has(kept.id));
    await close(spool);
    await shipper.stop();
  });

  it('that hangs keeps no visitor longer than the wait, and nobody who comes later waits at all', async () => {
    const disk = disks();
    const { spool } = await openSpool(disk, { waitMs: 200 });
    await keep(spool);
    const release = disk.hang();
    const startedMs = performance.now();
    const first = keep(spool);
    // Comes while the first is on its way.
    await turn();
    const second = keep(spool);
    expect(await first).toBe('timeout');
    expect(performance.now() - startedMs).toBeGreaterThan(190);
    expect(await second).toBe('timeout');
    expect(performance.now() - startedMs).toBeLessThan(300);
    const laterMs = performance.now();
    expect(await keep(spool)).toBe('timeout');
    expect(performance.now() - laterMs).toBeLessThan(25);
    release();
    await eventually(async () => expect(await keep(spool)).toBeNull());
    await close(spool);
  });
});

describe('the spool is bounded', () => {
  it('by its bytes on disk: facts are refused until some are in Kafka', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool, tide } = await openSpool(disk, { bytesMax: 10_000 });
    const answers: (Shed | null)[] = [];
    for (let i = 0; i < 20; i++) answers.push(await keep(spool, fact(1_000)));
    expect(answers.indexOf('full')).toBeGreaterThan(7);
    expect(answers.slice(answers.indexOf('full')).every((shed) => shed === 'full')).toBe(true);
    expect(spool.unready()).toBe('the spool is full');
    expect(spool.backlogBytes).toBeLessThan(12_000);
    const shipper = startShipper(disk, tide, new RecordingProducer());
    await eventually(async () => expect(await keep(spool, fact(1_000))).toBeNull());
    await spool.close();
    await shipper.stop();
  });

  it('by what waits in memory', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool } = await openSpool(disk, { batchBytes: 4_096 });
    const release = disk.hang();
    const answers = Array.from({ length: 30 }, () => keep(spool, fact(300)));
    expect(await Promise.race(answers)).toBe('capacity');
    release();
    const settled = await Promise.all(answers);
    expect([settled.filter((shed) => shed === null).length > 2, settled.filter((shed) => shed === 'capacity').length > 10]).toEqual([
      true,
      true,
    ]);
    await spool.close();
  });

  it('by the size of a fact, whose largest is read again', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool } = await openSpool(disk);
    expect(await keep(spool, fact(RECORD_MAX_BYTES))).toBe('oversize');
    const [ascii, wide] = [fact(RECORD_MAX_BYTES - 1_200), { ...fact(), value: JSON.stringify('…'.repeat(43_000)) }];
    expect([await keep(spool, ascii), await keep(spool, wide)]).toEqual([null, null]);
    expect(await keep(spool, { ...fact(), value: JSON.stringify('…'.repeat(44_000)) })).toBe('oversize');
    await spool.close();
    const { values } = await shipAll(disk);
    expect([values.get(ascii.id), values.get(wide.id)]).toEqual([ascii.value, wide.value]);
  });

  it('a segment with few facts does not stay open for ever, also where nothing more comes', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool, tide } = await openSpool(disk, { segmentAgeMs: 1, checkMs: 1 });
    const shipper = startShipper(disk, tide, new RecordingProducer());
    await keep(spool);
    await eventually(async () => expect(await segmentsOf(disk)).toEqual([]));
    await spool.close();
    await shipper.stop();
  });

  it('segments are rotated without a pause: the next one is made before it is needed', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool } = await openSpool(disk, { batchBytes: 2_048, segmentBytes: 4_096 });
    for (let i = 0; i < 30; i++) expect(await keep(spool, fact(300))).toBeNull();
    const [, second = ''] = await segmentsOf(disk);
    const created = disk.journal.indexOf(`create ${second}`);
    expect(disk.journal.slice(created).filter((entry) => entry === 'write 0000000000000000.seg').length).toBeGreaterThan(0);
    await spool.close();
    const left = await segmentsOf(disk);
    expect([(await shipAll(disk)).values.size, left.length > 3]).toEqual([30, true]);
  });
});

describe('what else may happen', () => {
  it('an answer that throws is one visitor’s misfortune', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool } = await openSpool(disk);
    spool.append(fact(), () => {
      throw new Error('a header that Node refuses');
    });
    expect([await keep(spool), await keep(spool)]).toEqual([null, null]);
    await spool.close();
  });

  it('a closed spool keeps what came before, and refuses what comes after', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool } = await openSpool(disk);
    const [first, second] = [fact(), fact()];
    const before = [keep(spool, first)];
    await turn();
    before.push(keep(spool, second));
    const closed = spool.close();
    expect(await keep(spool)).toBe('closing');
    expect(await Promise.all(before)).toEqual([null, null]);
    await closed;
    expect([...(await shipAll(disk)).values.keys()]).toEqual([first.id, second.id]);
  });

  it('a record that went bad takes none of its neighbours along, and its segment is kept under a name that stays its own', async () => {
    const disk = new LossyDisk(randomOf(1));
    for (const round of [0, 1]) {
      const { spool } = await openSpool(disk);
      const facts = [fact(), fact(), fact()];
      for (const one of facts) await keep(spool, one);
      await spool.close();
      const [name = ''] = await segmentsOf(disk);
      const length = await disk.sizeOf(name);
      disk.spoil(name, Math.floor(length / 2), 0);
      const { values } = await shipAll(disk);
      expect(facts.map(({ id }) => values.has(id))).toEqual([true, false, true]);
      expect((await disk.list()).filter((file) => file.endsWith('.damaged'))).toHaveLength(round + 1);
    }
    expect(disk.misuses).toEqual([]);
  });

  it.each([
    ['zeros', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(5_000)])],
    ['garbage', (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(5_000, 0xa5)])],
    ['half a record', (bytes: Buffer) => Buffer.concat([bytes, bytes.subarray(0, 30)])],
    ['a few bytes', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from([0, 0, 1])])],
  ])('a segment that ends in %s gives all its facts, and is over', async (_, spoilt) => {
    const disk = new LossyDisk(randomOf(1));
    const { spool } = await openSpool(disk);
    const facts = [fact(), fact(), fact()];
    for (const one of facts) await keep(spool, one);
    await spool.close();
    const [name = ''] = await segmentsOf(disk);
    const bytes = spoilt(await disk.read(name, 0, 1e6));
    const left = new LossyDisk(randomOf(2));
    const file = await left.create(name);
    await left.syncFolder();
    await file.write(bytes, 0);
    const { values } = await shipAll(left);
    expect([[...values.keys()], await segmentsOf(left)]).toEqual([facts.map(({ id }) => id), []]);
  });

  it('a segment is deleted once all of it is acknowledged, not before', async () => {
    const disk = new LossyDisk(randomOf(1));
    const { spool, tide } = await openSpool(disk);
    const producer = new RecordingProducer();
    producer.fails = () => true;
    const shipper = startShipper(disk, tide, producer);
    for (let i = 0; i < 5; i++) await keep(spool);
    await spool.close();
    await eventually(() => shipper.counts.failures >= 2);
    expect([await segmentsOf(disk), disk.journal.filter((entry) => entry.startsWith('remove'))]).toEqual([['0000000000000000.seg'], []]);
    producer.fails = () => false;
    await eventually(async () => expect(await segmentsOf(disk)).toEqual([]));
    expect([producer.values.size, producer.wrong]).toEqual([5, []]);
    await shipper.stop();
  });
});
