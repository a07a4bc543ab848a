import { ClicksCounted, type ClicksCountedData, emit, encode, TOPICS } from '@baton/contracts';
import { type KafkaConnection, type Log, type Part, type Producer, TopicFollower } from '@baton/platform';
import type { Counted } from '../worker.port';

export interface CountExchangeOptions {
  readonly kafka: KafkaConnection;
  readonly producer: Producer;
  /** Another one for each process: what a former process counted is another's count. */
  readonly replicaId: string;
  readonly log: Log;
  readonly now: () => number;
  /** The counts of all others. */
  readonly onTotals: (totals: readonly Counted[]) => void;
}

const PUBLISH_MS = 1_000;

/**
 * How replicas learn of each other's clicks on links with a cap, without a call per click: each publishes its own count, which only grows,
 * under its own key of a compacted topic; the sum over replicas is the count of a link. What comes twice or out of order changes nothing.
 */
export class CountExchange implements Part {
  readonly name = 'click counts';
  private readonly follower: TopicFollower;
  private readonly others = new Map<string, number>();
  private readonly totals = new Map<number, number>();
  private readonly own = new Map<number, Counted>();
  private readonly published = new Map<number, number>();
  private publishing: Promise<void> | null = null;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: CountExchangeOptions) {
    this.follower = new TopicFollower({
      kafka: options.kafka,
      topic: TOPICS.clickCounts,
      group: 'click-redirect-counts',
      apply: (events) => this.apply(events.map((event) => event.data as ClicksCountedData)),
      log: options.log,
      onDead: (reason) => options.log.error({ reason }, 'counts of other replicas cannot be read'),
    });
  }

  async start(): Promise<void> {
    await this.follower.start();
    this.timer = setInterval(() => void this.publish(), PUBLISH_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    // What is on its way may lack the last counts.
    await this.publishing;
    await this.publish();
    await this.follower.stop();
  }

  /** What this process has counted since it started. */
  report(counts: readonly Counted[]): void {
    for (const counted of counts) this.own.set(counted.linkNumber, counted);
  }

  private apply(changes: readonly ClicksCountedData[]): void {
    const touched = new Map<number, Counted>();
    for (const { replicaId, tenantId, linkNumber, count } of changes) {
      if (replicaId === this.options.replicaId) continue;
      const key = `${replicaId}:${linkNumber}`;
      const before = this.others.get(key) ?? 0;
      if (count <= before) continue;
      this.others.set(key, count);
      const total = (this.totals.get(linkNumber) ?? 0) + count - before;
      this.totals.set(linkNumber, total);
      touched.set(linkNumber, { tenantId, linkNumber, count: total });
    }
    if (touched.size > 0) this.options.onTotals([...touched.values()]);
  }

  private publish(): Promise<void> {
    this.publishing ??= this.publishChanged().finally(() => {
      this.publishing = null;
    });
    return this.publishing;
  }

  private async publishChanged(): Promise<void> {
    const changed = [...this.own.values()].filter(({ linkNumber, count }) => count !== this.published.get(linkNumber));
    if (changed.length === 0) return;
    try {
      const { replicaId, now, producer } = this.options;
      const changedAt = new Date(now()).toISOString();
      await producer.send(
        changed.map((counted) => ({
          topic: TOPICS.clickCounts,
          ...encode(emit(ClicksCounted, { ...counted, replicaId, changedAt })),
        })),
      );
      for (const { linkNumber, count } of changed) this.published.set(linkNumber, count);
    } catch {
      // Sent with the next tick: until then other replicas count without us.
    }
  }
}
