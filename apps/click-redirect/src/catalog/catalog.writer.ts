import { TOPICS } from '@baton/contracts';
import { type KafkaConnection, type Log, type Part, TopicFollower } from '@baton/platform';
import { CatalogStore } from './catalog.store';
import {
  currentGeneration,
  damageOf,
  generationFolder,
  generationsIn,
  makeCurrent,
  moveAside,
  nextGeneration,
  removeGeneration,
} from './generations';

export interface CatalogWriterOptions {
  readonly kafka: KafkaConnection;
  readonly folder: string;
  readonly log: Log;
  /** Something that serves has changed; at most ten times a second. */
  readonly onChange: () => void;
  readonly now?: () => number;
  /** A store that was out of touch for longer may have missed a tombstone, and is read anew beside itself. */
  readonly unheardMaxMs?: number;
}

export interface CatalogWriter extends Part {
  /** Since the broker last confirmed that there is nothing newer; Infinity before the first time. */
  stalenessMs(): number;
}

const DAY_MS = 86_400_000;
/** Half of the week for which the topic keeps tombstones (`delete.retention.ms`): the other half is for the reading. */
const UNHEARD_MAX_MS = 3.5 * DAY_MS;
const LOOK_EVERY_MS = 1_000;
/** So much of an outage may be counted twice; against days it is nothing. */
const MARK_FRESH_EVERY_MS = 60_000;
const TELL_EVERY_MS = 100;

interface Generation {
  readonly number: number;
  readonly store: CatalogStore;
  readonly follower: TopicFollower;
  isRetired: boolean;
  freshMs: number;
  markedMs: number;
}

/**
 * Follows the catalog topic into the store on local disk. One generation serves; where it cannot be trusted any more, the next is read from the
 * beginning of the topic beside it, and takes its place when it is whole.
 */
export class CatalogFollower implements CatalogWriter {
  readonly name = 'catalog';
  private serving: Generation | null = null;
  private building: Generation | null = null;
  private looking: NodeJS.Timeout | undefined;
  private telling: NodeJS.Timeout | undefined;
  private readonly ending = new Set<Promise<void>>();
  private stopping = false;
  private readonly now: () => number;

  constructor(private readonly options: CatalogWriterOptions) {
    this.now = options.now ?? (() => Date.now());
  }

  async start(): Promise<void> {
    const { folder } = this.options;
    const current = currentGeneration(folder);
    const numbers = generationsIn(folder);
    for (const number of numbers) if (current !== null && number < current) removeGeneration(folder, number);
    this.serving = current === null ? null : this.open(current);
    // What a former process had begun to read is read on.
    const begun = numbers.filter((number) => current === null || number > current);
    const last = begun.pop();
    for (const number of begun) removeGeneration(folder, number);
    this.building = last === undefined ? null : this.open(last);
    if (this.building && this.isUnheard(this.building)) this.discardBuilding();
    if (!this.serving) this.rebuild('there is none on this disk');
    else if (this.isUnheard(this.serving)) this.rebuild('it was out of touch for too long');
    await this.serving?.follower.start();
    await this.building?.follower.start();
    this.looking = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearInterval(this.looking);
    clearTimeout(this.telling);
    if (this.serving && !this.building) this.heard(this.serving);
    await Promise.all([this.serving, this.building].map((generation) => generation && this.retire(generation)));
    await Promise.all(this.ending);
  }

  unready(): string | undefined {
    return this.serving ? undefined : 'the catalog has not been read whole yet';
  }

  stalenessMs(): number {
    return this.serving?.follower.stalenessMs() ?? Infinity;
  }

  /**
   * Null: it is damaged, and was moved aside. Any other failure throws: it may pass, and what serves visitors now would be gone with a catalog
   * that nothing is wrong with.
   */
  private open(number: number): Generation | null {
    const { folder, log } = this.options;
    let damage = damageOf(folder, number);
    if (damage === null) {
      try {
        return this.generation(number);
      } catch (error) {
        damage = String(error);
        if (!DAMAGE.test(damage)) throw error;
      }
    }
    log.error(
      { damage, aside: moveAside(folder, number) },
      'the catalog on disk is damaged and was moved aside; it is read anew from Kafka',
    );
    return null;
  }

  private generation(number: number): Generation {
    const { kafka, folder, log } = this.options;
    const store = new CatalogStore(generationFolder(folder, number));
    const { clusterId, next, freshMs } = store.meta;
    if (freshMs === 0) store.markFresh(this.now());
    const positions = new Map(Object.entries(next).map(([partition, offset]) => [Number(partition), BigInt(offset)]));
    const follower = new TopicFollower({
      kafka,
      topic: TOPICS.catalog,
      group: 'click-redirect',
      apply: (events, tombstones, read) => this.apply(generation, events, tombstones, read),
      log,
      // The store is as it was before, and the same messages come again: a full disk may have room by then.
      onDead: (reason) => log.error({ reason }, 'the catalog could not be written; it is tried again'),
      resume: {
        from: clusterId === null ? null : { clusterId, next: positions },
        onLost: (reason) => this.lost(generation, reason),
      },
    });
    const generation: Generation = { number, store, follower, isRetired: false, freshMs: freshMs || this.now(), markedMs: this.now() };
    void follower.caughtUp.then(() => this.promote(generation));
    return generation;
  }

  private apply(generation: Generation, ...[events, tombstones, read]: Parameters<CatalogStore['apply']>): void {
    if (generation.isRetired) return;
    try {
      generation.store.apply(events, tombstones, read);
    } catch (error) {
      if (!DAMAGE.test(String(error))) throw error;
      this.lost(generation, String(error));
    }
    if (generation === this.serving) this.tell();
  }

  /** What it holds can no longer be carried on. What serves goes on serving meanwhile. */
  private lost(generation: Generation, reason: string): void {
    if (this.stopping || generation.isRetired) return;
    if (generation === this.building) this.discardBuilding();
    this.rebuild(reason);
    void this.building?.follower.start();
  }

  private rebuild(reason: string): void {
    if (this.building) return;
    const { folder, log } = this.options;
    const number = nextGeneration(folder);
    log.warn({ reason, generation: number }, 'the catalog is read from the beginning');
    this.building = this.generation(number);
  }

  private discardBuilding(): void {
    const { building } = this;
    this.building = null;
    if (building) this.end(building);
  }

  /** Complete: from now on it serves. */
  private promote(generation: Generation): void {
    if (generation !== this.building || this.stopping) return;
    const { folder, log } = this.options;
    this.heard(generation);
    makeCurrent(folder, generation.number);
    const former = this.serving;
    this.serving = generation;
    this.building = null;
    log.info({ generation: generation.number, links: generation.store.linkCount }, 'the catalog has been read whole');
    this.tell();
    if (former) this.end(former);
  }

  private look(): void {
    const { serving } = this;
    if (!serving || this.building) return;
    const stalenessMs = serving.follower.stalenessMs();
    if (!Number.isFinite(stalenessMs)) return;
    if (this.isUnheard(serving)) {
      this.rebuild('it was out of touch for too long');
      void this.building!.follower.start();
      return;
    }
    serving.freshMs = this.now() - stalenessMs;
    if (this.now() - serving.markedMs > MARK_FRESH_EVERY_MS) this.heard(serving);
  }

  private heard(generation: Generation): void {
    const stalenessMs = generation.follower.stalenessMs();
    if (Number.isFinite(stalenessMs)) generation.freshMs = this.now() - stalenessMs;
    generation.markedMs = this.now();
    generation.store.markFresh(generation.freshMs);
  }

  private isUnheard({ freshMs }: Generation): boolean {
    return this.now() - freshMs > (this.options.unheardMaxMs ?? UNHEARD_MAX_MS);
  }

  private tell(): void {
    if (this.stopping) return;
    this.telling ??= setTimeout(() => {
      this.telling = undefined;
      this.options.onChange();
    }, TELL_EVERY_MS);
  }

  private end(generation: Generation): void {
    const ended = this.retire(generation)
      .then(() => removeGeneration(this.options.folder, generation.number))
      .finally(() => this.ending.delete(ended));
    this.ending.add(ended);
  }

  private async retire(generation: Generation): Promise<void> {
    generation.isRetired = true;
    await generation.follower.stop();
    await generation.store.close();
  }
}

/** What LMDB says of a store whose pages contradict each other. */
const DAMAGE = /MDB_(CORRUPTED|PAGE_NOTFOUND|PANIC|INVALID|VERSION_MISMATCH)/;
