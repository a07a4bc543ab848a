/**
 * Where the spool stands, shared by the thread that writes and the thread that ships. Positions are logical offsets: a segment's name plus an
 * offset in it.
 */
export class SpoolTide {
  private readonly positions: BigInt64Array;
  private readonly asleep: Int32Array;
  /** Set by the writing thread: wakes the shipping one. */
  wake: () => void = () => undefined;

  constructor(readonly memory: SharedArrayBuffer = new SharedArrayBuffer(BYTES)) {
    this.positions = new BigInt64Array(memory, 0, 3);
    this.asleep = new Int32Array(memory, 24, 1);
  }

  /** Up to here the newest segment is on disk. */
  get durable(): number {
    return Number(Atomics.load(this.positions, DURABLE));
  }
  /** Segments that begin before it get no more records. */
  get sealed(): number {
    return Number(Atomics.load(this.positions, SEALED));
  }
  /** Up to here everything is in Kafka. */
  get shipped(): number {
    return Number(Atomics.load(this.positions, SHIPPED));
  }
  set shipped(position: number) {
    Atomics.store(this.positions, SHIPPED, BigInt(position));
  }

  /** What a former process left lies from `begin` to `end`. */
  start(begin: number, end: number): void {
    this.shipped = begin;
    for (const at of [DURABLE, SEALED]) Atomics.store(this.positions, at, BigInt(end));
    this.rouse();
  }
  rise(durable: number): void {
    Atomics.store(this.positions, DURABLE, BigInt(durable));
    this.rouse();
  }
  seal(base: number): void {
    if (base > this.durable) Atomics.store(this.positions, DURABLE, BigInt(base));
    Atomics.store(this.positions, SEALED, BigInt(base));
    this.rouse();
  }

  /** Of the shipping thread, before it waits: false when there is something to do after all. */
  mayRest(seen: number, seenSealed: number): boolean {
    Atomics.store(this.asleep, 0, 1);
    if (this.durable === seen && this.sealed === seenSealed) return true;
    Atomics.store(this.asleep, 0, 0);
    return false;
  }

  /** Under load the other thread is awake, and this costs no message. */
  private rouse(): void {
    if (Atomics.compareExchange(this.asleep, 0, 1, 0) === 1) this.wake();
  }
}

const DURABLE = 0;
const SEALED = 1;
const SHIPPED = 2;
const BYTES = 32;
