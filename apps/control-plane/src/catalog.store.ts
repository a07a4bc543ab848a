import type { Outgoing } from '@baton/contracts';
import { type Database, type Tx, writeOutbox } from '@baton/platform';
import { fingerprintOf } from './domain/fingerprint';
import type { Prisma } from './generated/client';

export type CatalogTx = Prisma.TransactionClient;

/** A change under way: it holds the clock, so nobody else's change is anywhere between its first and its last version. */
export interface Change {
  readonly tenantId: string;
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  /** The next catalog version; each published entity takes one. */
  version(): number;
}

export interface Changed<A> {
  readonly answer: A;
  readonly events: readonly Outgoing[];
}

export interface Creating {
  readonly tenantId: string;
  /** `program`, `link`, ...: ids of different kinds do not meet. */
  readonly kind: string;
  readonly id: string;
  /** What the caller asked for; a repeat must ask for the same. */
  readonly body: object;
}

export type Created<A> =
  { readonly kind: 'made'; readonly answer: A } | { readonly kind: 'repeated'; readonly answer: A } | { readonly kind: 'conflict' };

/** The catalog's one order, and what is written with it in one transaction. Throws `InfrastructureError`. */
export abstract class CatalogStore {
  abstract change<A>(tenantId: string, work: (tx: CatalogTx, change: Change) => Promise<Changed<A>>, traceparent?: string): Promise<A>;
  /** A change that makes something under an id: the same id and body again gets the first answer, and changes nothing. */
  abstract create<A extends object>(
    what: Creating,
    work: (tx: CatalogTx, change: Change) => Promise<Changed<A>>,
    traceparent?: string,
  ): Promise<Created<A>>;
  abstract read<A>(tenantId: string, work: (tx: CatalogTx) => Promise<A>): Promise<A>;
  /** Outside tenancy: the digests of API keys. */
  abstract untenanted<A>(work: (tx: CatalogTx) => Promise<A>): Promise<A>;
  /** What a change made now would be stamped with: RFC 3339, UTC, milliseconds. */
  abstract now(): string;
  /** The version of the newest change. */
  abstract version(): Promise<number>;
}

export interface CatalogParts {
  /** The api role's. */
  readonly database: Database<CatalogTx>;
  readonly now: () => Date;
  /** After a commit: the relay need not wait for its next look. */
  readonly wake: () => void;
}

export class PgCatalogStore extends CatalogStore {
  constructor(private readonly parts: CatalogParts) {
    super();
  }

  async change<A>(tenantId: string, work: (tx: CatalogTx, change: Change) => Promise<Changed<A>>, traceparent?: string): Promise<A> {
    const answer = await this.parts.database.transaction([tenantId], (tx) => this.inOrder(tx, tenantId, work, traceparent));
    this.parts.wake();
    return answer;
  }

  create<A extends object>(
    what: Creating,
    work: (tx: CatalogTx, change: Change) => Promise<Changed<A>>,
    traceparent?: string,
  ): Promise<Created<A>> {
    const { tenantId, kind, id } = what;
    const fingerprint = fingerprintOf(what.body);
    return this.change<Created<A>>(
      tenantId,
      async (tx, change) => {
        const before = await tx.creation.findUnique({ where: { tenantId_kind_id: { tenantId, kind, id } } });
        if (before?.fingerprint === fingerprint) return { answer: { kind: 'repeated', answer: before.answer as A }, events: [] };
        if (before) return { answer: { kind: 'conflict' }, events: [] };
        const { answer, events } = await work(tx, change);
        await tx.creation.create({ data: { tenantId, kind, id, fingerprint, answer: answer as Prisma.InputJsonObject } });
        return { answer: { kind: 'made', answer }, events };
      },
      traceparent,
    );
  }

  read<A>(tenantId: string, work: (tx: CatalogTx) => Promise<A>): Promise<A> {
    return this.parts.database.transaction([tenantId], work);
  }

  untenanted<A>(work: (tx: CatalogTx) => Promise<A>): Promise<A> {
    return this.parts.database.untenanted(work);
  }

  now(): string {
    return this.parts.now().toISOString();
  }

  async version(): Promise<number> {
    const { version } = await this.untenanted((tx) => tx.catalogClock.findUniqueOrThrow({ where: { id: 1 } }));
    return Number(version);
  }

  /** The clock's row is locked before anything is read, so versions, commits and ids of the outbox have one order; it moves only if something changed. */
  private async inOrder<A>(
    tx: CatalogTx,
    tenantId: string,
    work: (tx: CatalogTx, change: Change) => Promise<Changed<A>>,
    traceparent?: string,
  ): Promise<A> {
    const clock = await holdClock(tx, this.now());
    const { answer, events } = await work(tx, clock.changeOf(tenantId));
    if (events.length > 0) {
      await clock.keep();
      await writeOutbox(tx, events, traceparent);
    }
    return answer;
  }
}

export interface HeldClock {
  changeOf(tenantId: string): Change;
  /** Once everything has its version, and before the outbox is written. */
  keep(): Promise<void>;
}

/** Nobody else changes the catalog until the transaction ends. `at`: RFC 3339, UTC, milliseconds. */
export async function holdClock(tx: Tx, at: string): Promise<HeldClock> {
  const [clock] = await tx.$queryRawUnsafe<{ version: bigint }[]>('SELECT version FROM catalog_clock WHERE id = 1 FOR UPDATE');
  if (!clock) throw new Error('catalog_clock has no row: the migrations of control-plane were not applied as they are');
  const before = Number(clock.version);
  let version = before;
  return {
    changeOf: (tenantId) => ({ tenantId, at, version: () => ++version }),
    keep: async () => {
      if (version > before) await tx.$executeRawUnsafe('UPDATE catalog_clock SET version = $1::bigint WHERE id = 1', version);
    },
  };
}
