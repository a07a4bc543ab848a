import type { EventContract, Outgoing, Received, TenantData } from '@baton/contracts';

/**
 * What an open transaction can do. A Prisma transaction client satisfies it, so a store may use the typed models of its own
 * client as well. int8 comes back as bigint: cast in SQL (`::float8`, `::text`) where a number is wanted.
 */
export interface Tx {
  $queryRawUnsafe<T = unknown>(sql: string, ...values: unknown[]): Promise<T>;
  $executeRawUnsafe(sql: string, ...values: unknown[]): Promise<number>;
}

/** One role's way into one service's database. */
export interface Database<T extends Tx = Tx> {
  /**
   * READ COMMITTED. The tenants are set for this transaction alone: the worker role sees all of them, the api role needs exactly one.
   * Deadlocks and serialisation failures are retried a few times; then they surface as `InfrastructureError`, as lost connections do.
   */
  transaction<R>(tenantIds: readonly string[], work: (tx: T) => Promise<R>): Promise<R>;
  /** For tables that lie outside tenancy (outbox, inbox, key digests, a tenant list). */
  untenanted<R>(work: (tx: T) => Promise<R>): Promise<R>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

/** The world's fault: a store cannot be reached, a deadlock, a time-out. Retried; never halves a batch, never makes a dead letter. */
export class InfrastructureError extends Error {
  override readonly name = 'InfrastructureError';
  constructor(
    /** `postgres`, `kafka`, `redis`. */
    readonly store: string,
    /** Metric label: `deadlock`, `connection`, `timeout`, `capacity`, `unknown_catalog`. */
    readonly kind: string,
    override readonly cause?: unknown,
  ) {
    super(`${store} (${kind}): ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** A handler takes every event of its contract in one Kafka batch, in their order, inside one transaction whose tenants are those events'. */
export type Handler<T extends TenantData> = (events: readonly Received<T>[], tx: Tx) => Promise<readonly Outgoing[]>;

export interface Route {
  readonly contract: EventContract;
  /** Of the same topic: its events come in the same call. */
  readonly also?: EventContract;
  readonly handle: Handler<TenantData>;
}

/**
 * contract -> handler -> outgoing events. Return = done; the returned events go to the outbox in the same transaction.
 * `InvalidEvent` = dead letter; `InfrastructureError` = the partition waits; any other throw = retried with a bound, the batch is
 * halved until the one bad message stands alone, then that one is a dead letter.
 */
export const on = <T extends TenantData>(contract: EventContract<T>, handle: Handler<T>): Route =>
  ({ contract, handle }) as unknown as Route;

/**
 * Two contracts of one topic, handled in one call: where their effects lock the same rows, two calls in one transaction would take the
 * locks in two goes, and two batches could deadlock.
 */
export const onBoth = <A extends TenantData, B extends TenantData>(
  first: EventContract<A>,
  second: EventContract<B>,
  handle: (firsts: readonly Received<A>[], seconds: readonly Received<B>[], tx: Tx) => Promise<readonly Outgoing[]>,
): Route =>
  ({
    contract: first,
    also: second,
    handle: (events: readonly Received[], tx: Tx) =>
      handle(events.filter(isOf(first)) as never[], events.filter(isOf(second)) as never[], tx),
  }) as unknown as Route;

const isOf =
  ({ ceType }: { readonly ceType: string }) =>
  ({ contract }: Received): boolean =>
    contract.ceType === ceType;

/** Whether an event goes to this route. */
export const isRouted = ({ contract, also }: Route, event: Received): boolean =>
  isOf(contract)(event) || (also !== undefined && isOf(also)(event));
