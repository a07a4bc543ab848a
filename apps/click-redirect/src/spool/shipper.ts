import { crashPoint, type Log, type OutgoingMessage, type Part, type Producer } from '@baton/platform';
import type { SpoolDisk } from './disk';
import { messageOf, readRecord } from './record';
import { damagedName, segmentBases, segmentName } from './segment';
import type { SpoolTide } from './tide';

export interface ShipperOptions {
  readonly disk: SpoolDisk;
  readonly tide: SpoolTide;
  readonly producer: Producer;
  readonly log: Log;
  readonly deadlineMs?: number;
}

export interface ShipperCounts {
  shipped: number;
  failures: number;
  damaged: number;
}

interface Chunk {
  readonly messages: readonly OutgoingMessage[];
  /** Offset in the segment behind the last record. */
  readonly next: number;
  /** Nothing readable is left in a sealed segment. */
  readonly isEnd: boolean;
}

/** `damagedTo`: damage up to here is known. */
interface Position {
  readonly base: number;
  offset: number;
  damagedTo: number;
}

const NOWHERE: Position = { base: -1, offset: 0, damagedTo: -1 };
const CHUNK_BYTES = 1024 * 1024;
const CHUNK_MESSAGES = 2_000;
const DEADLINE_MS = 10_000;
/** While facts trickle in, a request to the broker at most every so often. */
const PACE_MS = 25;
const BACKOFF_MIN_MS = 100;
const BACKOFF_MAX_MS = 3_000;

/**
 * Sends what lies in the spool to Kafka, oldest first, and deletes each segment once all of it is acknowledged. A chunk whose outcome is
 * unknown is sent again with the same ids and bytes: at least once, never lost. A restart sends the oldest segment again from its beginning.
 */
export class Shipper implements Part {
  readonly name = 'shipper';
  readonly counts: ShipperCounts = { shipped: 0, failures: 0, damaged: 0 };
  private stopping = false;
  private running: Promise<void> = Promise.resolve();
  private awaken: () => void = () => undefined;
  /** More is waiting: the next chunk follows at once. */
  private isFull = false;
  private endPause: () => void = () => undefined;
  /** Of the segment being read. */
  private position: Position = NOWHERE;

  constructor(private readonly options: ShipperOptions) {}

  async start(): Promise<void> {
    this.running = this.ship();
  }

  /** Ends after the chunk that is on its way. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.endPause();
    this.wake();
    await this.running;
  }

  /** Waits until nothing of the spool is missing in Kafka, at most so long. */
  async drained(ms: number): Promise<boolean> {
    const end = Date.now() + ms;
    while (!this.isIdle && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 20));
    return this.isIdle;
  }

  wake(): void {
    this.awaken();
  }

  /** Nothing of the spool is missing in Kafka, and no sealed segment of what is there is left to be sent again after a restart. */
  get isIdle(): boolean {
    const { tide } = this.options;
    const { base } = this.position;
    return tide.shipped >= tide.durable && (base < 0 || base >= tide.sealed);
  }

  private async ship(): Promise<void> {
    let backoffMs = BACKOFF_MIN_MS;
    while (!this.stopping) {
      const { durable, sealed } = this.options.tide;
      const startedMs = performance.now();
      try {
        if (!(await this.pass(durable, sealed)) && this.options.tide.mayRest(durable, sealed)) await this.rest(60_000);
        backoffMs = BACKOFF_MIN_MS;
        // A request to the broker costs as much for one fact as for hundreds.
        const earlyMs = PACE_MS - (performance.now() - startedMs);
        if (earlyMs > 1 && !this.isFull) await new Promise((resolve) => setTimeout(resolve, earlyMs));
      } catch (error) {
        this.counts.failures += 1;
        this.options.log.warn({ error: error instanceof Error ? error.message : String(error), backoffMs }, 'facts wait in the spool');
        await this.pause(backoffMs);
        backoffMs = Math.min(backoffMs * 2, BACKOFF_MAX_MS);
      }
    }
  }

  /** One chunk at most. False: there is nothing to send now. */
  private async pass(durable: number, sealed: number): Promise<boolean> {
    const { disk, tide } = this.options;
    this.isFull = false;
    const base = this.position.base >= 0 ? this.position.base : segmentBases(await disk.list()).find((each) => each <= sealed);
    if (base === undefined) {
      tide.shipped = durable;
      return false;
    }
    if (base !== this.position.base) this.position = { ...NOWHERE, base };
    const isSealed = base < sealed;
    const end = isSealed ? Infinity : durable - base;
    if (this.position.offset >= end) {
      tide.shipped = base + this.position.offset;
      return false;
    }
    const { offset } = this.position;
    const chunk = await this.chunkOf(base, end, isSealed).catch((error: unknown) => this.unlessGone(base, error));
    if (chunk === null) return true;
    this.isFull = chunk.isEnd || chunk.messages.length >= CHUNK_MESSAGES / 2;
    if (chunk.messages.length > 0) await this.send(chunk.messages);
    this.position.offset = chunk.next;
    tide.shipped = base + chunk.next;
    if (chunk.isEnd) await this.finish(base);
    return chunk.isEnd || chunk.next > offset;
  }

  private async chunkOf(base: number, end: number, isSealed: boolean): Promise<Chunk> {
    const { offset } = this.position;
    const bytes = await this.options.disk.read(segmentName(base), offset, Math.min(CHUNK_BYTES, end - offset));
    const messages: OutgoingMessage[] = [];
    let at = 0;
    while (at < bytes.length && messages.length < CHUNK_MESSAGES) {
      const read = readRecord(bytes, at);
      if (read.kind === 'record') {
        messages.push(messageOf(read.record));
        at = read.next;
        continue;
      }
      if (read.kind === 'short') break;
      if (read.kind === 'blank') return { messages, next: offset + at, isEnd: isSealed };
      this.note(base, offset + at);
      // Behind a length that cannot be believed nothing can be found.
      if (read.next === null || read.next > bytes.length) return { messages, next: offset + at, isEnd: isSealed };
      at = read.next;
    }
    // In a sealed segment a record that is cut off was never answered for: a crash tore it.
    const isEnd = isSealed && bytes.length < CHUNK_BYTES && messages.length < CHUNK_MESSAGES;
    return { messages, next: offset + at, isEnd };
  }

  /** The writer takes a segment back in which nothing was answered for, also from under us. */
  private async unlessGone(base: number, error: unknown): Promise<null> {
    if ((await this.options.disk.list()).includes(segmentName(base))) throw error;
    this.position = NOWHERE;
    return null;
  }

  private note(base: number, offset: number): void {
    if (offset <= this.position.damagedTo) return;
    this.position.damagedTo = offset;
    this.counts.damaged += 1;
    this.options.log.error({ segment: segmentName(base), offset }, 'a record of the spool cannot be read; the segment is kept for a look');
  }

  private async send(messages: readonly OutgoingMessage[]): Promise<void> {
    crashPoint('shipper:sending');
    await this.options.producer.send(messages, this.options.deadlineMs ?? DEADLINE_MS);
    crashPoint('shipper:acknowledged');
    this.counts.shipped += messages.length;
  }

  private async finish(base: number): Promise<void> {
    const { disk } = this.options;
    if (this.position.damagedTo >= 0) await disk.rename(segmentName(base), damagedName(segmentName(base)));
    else await disk.remove(segmentName(base));
    crashPoint('shipper:removed');
    this.position = NOWHERE;
  }

  /** After a failure: more facts are no reason to try sooner. */
  private pause(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.endPause = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private rest(ms: number): Promise<void> {
    if (this.stopping) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.awaken = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
