import type { Counted } from '../worker.port';

/** Counted clicks of links with a cap, over all replicas as far as this one knows. Links without a cap are not counted. */
export class ClickCounts {
  private readonly own = new Map<number, Counted>();
  private readonly others = new Map<number, number>();
  private readonly changed = new Set<number>();

  of(linkNumber: number): number {
    return (this.own.get(linkNumber)?.count ?? 0) + (this.others.get(linkNumber) ?? 0);
  }

  add(tenantId: string, linkNumber: number): void {
    this.own.set(linkNumber, { tenantId, linkNumber, count: (this.own.get(linkNumber)?.count ?? 0) + 1 });
    this.changed.add(linkNumber);
  }

  learn(totals: readonly Counted[]): void {
    // Counts never fall: a worker that began anew reads old ones first.
    for (const { linkNumber, count } of totals) this.others.set(linkNumber, Math.max(count, this.others.get(linkNumber) ?? 0));
  }

  /** Own counts that changed since the last call. */
  takeChanged(): Counted[] {
    const counts = [...this.changed].map((linkNumber) => this.own.get(linkNumber) as Counted);
    this.changed.clear();
    return counts;
  }

  /** After the worker began anew: it has forgotten them. */
  get all(): Counted[] {
    return [...this.own.values()];
  }
}
