import { crashPoint, type Log } from '@baton/platform';
import { type Batch, type Done, newBatch, settle, type Shed } from './batch';
import type { SpoolDisk, SpoolFile } from './disk';
import { RECORD_MAX_BYTES, recordBytesMax, type RecordOf, writeRecord } from './record';
import { damagedBases, segmentBases, segmentName } from './segment';
import type { SpoolTide } from './tide';

export interface SpoolOptions {
  readonly disk: SpoolDisk;
  readonly tide: SpoolTide;
  /** Bytes that segments may take in total. */
  readonly bytesMax: number;
  /** How long a fact may wait for the disk. */
  readonly waitMs: number;
  readonly log: Log;
  readonly segmentBytes?: number;
  readonly segmentAgeMs?: number;
  readonly retryMs?: number;
  /** Most bytes that are written at once; no less than a record. */
  readonly batchBytes?: number;
  readonly checkMs?: number;
}

interface Segment {
  readonly base: number;
  readonly file: SpoolFile;
  readonly openedMs: number;
  /** Length that is on disk for certain. */
  length: number;
}

const BATCH_BYTES = 2 * 1024 * 1024;
const SEGMENT_BYTES = 8 * 1024 * 1024;
const SEGMENT_AGE_MS = 10_000;
const RETRY_MS = 500;
const CHECK_MS = 25;

/** Names kept of segments that could not be removed. */
const LITTER_MAX = 1_000;

/**
 * Facts on a local disk before anybody hears of them. What comes while the disk is busy waits in memory and goes in one write and one
 * fdatasync (group commit). After a failed write or sync nobody knows what the file holds: the segment is sealed where it was certain, its
 * batch is shed, and another segment is tried a little later.
 */
export class Spool {
  private filling: Batch;
  private spare: Batch;
  private writing: Batch | null = null;
  private segment: Segment | null = null;
  private next: Promise<Segment> | null = null;
  /** Logical offset at which the next segment begins. */
  private end: number;
  private brokenUntilMs = 0;
  private isClosing = false;
  private isFlushing = false;
  private flushed: Promise<void> = Promise.resolve();
  private readonly watch: NodeJS.Timeout;
  private readonly segmentBytes: number;
  private readonly segmentAgeMs: number;
  private readonly retryMs: number;

  /** Segments without a fact on their way out, and the names of those that the disk did not let go. */
  private discarding: Promise<unknown> = Promise.resolve();
  private readonly litter = new Set<string>();

  private constructor(
    private readonly options: SpoolOptions,
    end: number,
  ) {
    this.end = end;
    const batchBytes = options.batchBytes ?? BATCH_BYTES;
    this.filling = newBatch(batchBytes);
    this.spare = newBatch(batchBytes);
    this.segmentBytes = Math.max(options.segmentBytes ?? SEGMENT_BYTES, batchBytes);
    this.segmentAgeMs = options.segmentAgeMs ?? SEGMENT_AGE_MS;
    this.retryMs = options.retryMs ?? RETRY_MS;
    this.watch = setInterval(() => this.look(), options.checkMs ?? CHECK_MS);
    this.watch.unref();
  }

  /** Goes on behind what a former process left in the folder; that is the shipper's to send. */
  static async open(options: SpoolOptions): Promise<Spool> {
    const names = await options.disk.list();
    const bases = segmentBases(names);
    const last = bases.at(-1);
    const behindLast = last === undefined ? 0 : last + Math.max(1, await options.disk.sizeOf(segmentName(last)));
    // A name that was given once is not given again: the next damaged segment would take the place of the former one.
    const end = Math.max(behindLast, ...damagedBases(names).map((base) => base + 1));
    options.tide.start(bases[0] ?? end, end);
    return new Spool(options, end);
  }

  /** Why facts are being shed now. */
  unready(): string | undefined {
    if (Date.now() < this.brokenUntilMs) return 'the spool cannot be written';
    return this.isFull() ? 'the spool is full' : undefined;
  }

  /** Bytes that lie on disk and are not yet shipped. */
  get backlogBytes(): number {
    return Math.max(0, this.options.tide.durable - this.options.tide.shipped);
  }

  append(record: RecordOf, done: Done): void {
    const shed = this.refusal(record);
    if (shed) return done(shed);
    const batch = this.filling;
    if (batch.dones.length === 0) batch.sinceMs = Date.now();
    batch.used = writeRecord(batch.bytes, batch.used, record);
    batch.dones.push(done);
    if (!this.isFlushing) {
      this.isFlushing = true;
      // A turn of the event loop later: what the same turn brings goes along.
      setImmediate(() => {
        this.flushed = this.flush();
      });
    }
  }

  async close(): Promise<void> {
    this.isClosing = true;
    clearInterval(this.watch);
    await this.flushed;
    if (this.filling.dones.length > 0) await this.flush();
    const unused = await this.next?.catch(() => null);
    if (unused) await this.discard(unused);
    await this.discarding;
    // Once more: they lie ahead of the tide, where the shipper does not look. Nothing is created any more that could have such a name.
    for (const name of this.litter) await this.remove(name);
    await this.segment?.file.close().catch(() => undefined);
    this.segment = null;
    this.options.tide.seal(this.end);
  }

  private refusal({ value }: RecordOf): Shed | null {
    if (this.isClosing) return 'closing';
    const atMs = Date.now();
    if (atMs < this.brokenUntilMs) return 'disk';
    // The disk hangs: who comes now would wait behind those who wait too long already.
    if (this.writing && atMs - this.writing.sinceMs > this.options.waitMs) return 'timeout';
    const bytes = recordBytesMax(value.length);
    if (bytes > RECORD_MAX_BYTES && Buffer.byteLength(value) > RECORD_MAX_BYTES - 1024) return 'oversize';
    if (this.filling.used + bytes > this.filling.bytes.length) return 'capacity';
    return this.isFull() ? 'full' : null;
  }

  private isFull(): boolean {
    return this.backlogBytes + this.filling.used > this.options.bytesMax;
  }

  private async flush(): Promise<void> {
    while (this.filling.dones.length > 0) {
      const batch = this.filling;
      this.filling = this.spare;
      this.writing = batch;
      const shed = await this.put(batch.bytes.subarray(0, batch.used));
      settle(batch, shed, this.options.log);
      this.writing = null;
      batch.used = 0;
      this.spare = batch;
    }
    this.isFlushing = false;
  }

  /** Null: on disk. */
  private async put(bytes: Buffer): Promise<Shed | null> {
    let segment: Segment | null = null;
    try {
      segment = await this.current(bytes.length);
      crashPoint('spool:writing');
      await segment.file.write(bytes, segment.length);
      crashPoint('spool:written');
      await segment.file.datasync();
      crashPoint('spool:synced');
      segment.length += bytes.length;
      this.end = segment.base + segment.length;
      this.options.tide.rise(this.end);
      return null;
    } catch (error) {
      this.brokenUntilMs = Date.now() + this.retryMs;
      this.options.log.error({ err: error }, 'the spool could not be written: clicks go without an id until it can');
      if (segment) this.seal(segment, bytes.length);
      // A name that could not be made may be there all the same.
      else this.end += 1;
      return 'disk';
    }
  }

  private async current(more: number): Promise<Segment> {
    const segment = this.segment;
    if (segment && segment.length + more <= this.segmentBytes) {
      if (segment.length > this.segmentBytes / 2) this.prepare(segment.base + this.segmentBytes);
      return segment;
    }
    const prepared = this.next;
    this.next = null;
    const opened = await (prepared ? prepared.catch(() => this.create(this.end)) : this.create(this.end));
    // All of it is on disk already: a close that fails changes nothing.
    if (segment) void segment.file.close().catch(() => undefined);
    this.segment = opened;
    this.options.tide.seal(opened.base);
    return opened;
  }

  /** Opening costs two syncs: they are paid before the segment is needed. */
  private prepare(base: number): void {
    if (this.next) return;
    this.next = this.create(base);
    this.next.catch(() => undefined);
  }

  private async create(base: number): Promise<Segment> {
    const file = await this.options.disk.create(segmentName(base));
    this.litter.delete(segmentName(base));
    try {
      await file.datasync();
      await this.options.disk.syncFolder();
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.remove(segmentName(base));
      throw error;
    }
    return { base, file, openedMs: Date.now(), length: 0 };
  }

  private async discard({ base, file }: Segment): Promise<void> {
    await file.close().catch(() => undefined);
    await this.remove(segmentName(base));
  }

  /** What the disk does not let go is tried once more at the end; what is too much for that, by the next process. */
  private async remove(name: string): Promise<void> {
    try {
      await this.options.disk.remove(name);
      this.litter.delete(name);
    } catch {
      if (this.litter.size < LITTER_MAX) this.litter.add(name);
    }
  }

  /** What was written behind the certain part may be there or not; the next segment's name leaves room for it. */
  private seal(segment: Segment, uncertainBytes: number): void {
    this.segment = null;
    this.end = segment.base + segment.length + uncertainBytes;
    // Nothing in an empty one was answered for: on a full disk such files would gather by the thousand.
    const empty = segment.length === 0 ? this.discard(segment) : segment.file.close().catch(() => undefined);
    // One that could not be prepared has removed itself.
    const unused = this.next?.then(
      (prepared) => this.discard(prepared),
      () => undefined,
    );
    this.next = null;
    this.discarding = Promise.all([this.discarding, empty, unused]);
    this.options.tide.seal(this.end);
  }

  /** Visitors do not wait for a disk that hangs, and a segment with few facts does not stay open for ever. */
  private look(): void {
    const atMs = Date.now();
    const { writing, filling } = this;
    if (writing && atMs - writing.sinceMs > this.options.waitMs) {
      settle(writing, 'timeout', this.options.log);
      // Those behind it: their facts are written when the disk comes back, under ids that nobody was given.
      if (filling.dones.length > 0 && atMs - filling.sinceMs > this.options.waitMs) settle(filling, 'timeout', this.options.log);
    }
    const { segment } = this;
    if (segment && !this.isFlushing && segment.length > 0 && atMs - segment.openedMs > this.segmentAgeMs) {
      this.segment = null;
      this.end = segment.base + segment.length;
      void segment.file.close().catch(() => undefined);
      this.options.tide.seal(this.end);
    }
  }
}
