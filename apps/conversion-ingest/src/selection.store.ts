import type { ConversionReceivedData, ReversalReceivedData, TenantEntity } from '@baton/contracts';
import { entitiesById, type Tx } from '@baton/platform';
import {
  CAP_CONVERSIONS,
  type Cap,
  type KnownReversal,
  SELECTED_MAX,
  type Selection,
  type Selector,
  selectorsOf,
  type Standing,
  type Taken,
  takenOf,
  type UnitsOfLine,
} from './domain';
import { type ProgressStore, progressStore } from './progress.store';

/** Which conversions a reversal is of, received or to come. Every call belongs to a transaction of the one tenant. */
export interface SelectionStore {
  /**
   * Held to the end of the transaction, before anything is read: a reversal that waits for conversions and the conversions that it waits for
   * would else look past each other. Conversions hold it together; a selection holds it alone.
   */
  hold(tx: Tx, tenantId: string, how: 'together' | 'alone'): Promise<void>;
  /** At most one more than `SELECTED_MAX`. */
  selected(tx: Tx, selection: Selection, test: boolean): Promise<readonly Taken[]>;
  capOf(tx: Tx, tenantId: string): Promise<Cap>;
  stand(tx: Tx, standing: Standing): Promise<void>;
  /** Those that may wait for these conversions, held, in one order. */
  standingFor(tx: Tx, arrived: readonly Taken[]): Promise<readonly Standing[]>;
  restand(tx: Tx, standings: readonly Standing[]): Promise<void>;
  /** Null: it waits for nothing. */
  standingOf(tx: Tx, requestId: string): Promise<Standing | null>;
  /** With what was taken back of them so far. */
  withReversals(tx: Tx, conversions: readonly Taken[]): Promise<readonly Taken[]>;
}

const OWN = `tenant_id = current_setting('app.tenant')::uuid`;
/** The first half of the lock's name, apart from others of this database. */
const HOLD_CLASS = 7_301;

/** Which facts a selector is of; $1 is its value. */
const WHERE: Readonly<Record<Selector, string>> = {
  external_id: 'external_id = $1',
  receipt_id: 'receipt_id = $1::uuid',
  // A conversion without an order id is its own order.
  order_id: '(order_id = $1 OR (order_id IS NULL AND external_id = $1))',
  click_id: 'click_id = $1',
  customer_id: 'customer_id = $1',
  email: 'email_hash = $1',
};

export const selectionStore = (progress: ProgressStore): SelectionStore => ({
  async hold(tx, tenantId, how) {
    await tx.$executeRawUnsafe(
      `SELECT ${how === 'alone' ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared'}(${HOLD_CLASS}, hashtext($1))`,
      tenantId,
    );
  },

  async selected(tx, { by, value, event }, test) {
    const rows = await tx.$queryRawUnsafe<FactRow[]>(
      `SELECT data FROM facts WHERE ${OWN} AND kind = 'conversion' AND ${WHERE[by]} AND (data->>'test')::boolean = $2
       AND ($3::text IS NULL OR data->>'event' = $3 OR data->>'type' = $3) ORDER BY fact_id LIMIT ${SELECTED_MAX + 1}`,
      value,
      test,
      event,
    );
    if (rows.length > SELECTED_MAX) return rows.map(({ data }) => takenOf(data));
    return withTidings(
      tx,
      progress,
      await this.withReversals(
        tx,
        rows.map(({ data }) => takenOf(data)),
      ),
    );
  },

  capOf,

  async stand(tx, { terms, cap, taken, leftOut }) {
    const { tenantId, selection, requestId } = terms;
    await tx.$executeRawUnsafe(
      `INSERT INTO standing_reversals (tenant_id, selector, value, request_id, terms, cap, taken, left_out)
       SELECT $1::uuid, $2, $3, $4::uuid, r->'terms', nullif(r->'cap', 'null'), r->'taken', $6 FROM (SELECT $5::jsonb AS r) AS one ON CONFLICT DO NOTHING`,
      tenantId,
      selection.by,
      selection.value,
      requestId,
      JSON.stringify({ terms, cap, taken }),
      leftOut,
    );
  },

  async standingFor(tx, arrived) {
    if (arrived.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<StandingRow[]>(
      `SELECT s.terms, s.cap, s.taken, s.left_out FROM standing_reversals s
       WHERE s.${OWN} AND (s.selector, s.value) IN (SELECT r.by, r.value FROM jsonb_to_recordset($1::jsonb) AS r(by text, value text))
       ORDER BY s.selector, s.value COLLATE "C", s.request_id FOR UPDATE OF s`,
      JSON.stringify(arrived.flatMap(selectorsOf)),
    );
    return rows.map(standingOf);
  },

  async restand(tx, standings) {
    const rows = standings.map(({ terms, taken, leftOut }) => ({
      by: terms.selection.by,
      value: terms.selection.value,
      requestId: terms.requestId,
      taken,
      leftOut,
    }));
    await tx.$executeRawUnsafe(
      `UPDATE standing_reversals s SET taken = r.taken, left_out = r."leftOut"
       FROM jsonb_to_recordset($1::jsonb) AS r(by text, value text, "requestId" uuid, taken jsonb, "leftOut" int)
       WHERE s.${OWN} AND s.selector = r.by AND s.value = r.value AND s.request_id = r."requestId"`,
      JSON.stringify(rows),
    );
  },

  async standingOf(tx, requestId) {
    const [row] = await tx.$queryRawUnsafe<StandingRow[]>(
      `SELECT terms, cap, taken, left_out FROM standing_reversals WHERE ${OWN} AND request_id = $1::uuid`,
      requestId,
    );
    return row ? standingOf(row) : null;
  },

  async withReversals(tx, conversions) {
    if (conversions.length === 0) return [];
    const rows = await tx.$queryRawUnsafe<ReversalRow[]>(
      `SELECT external_id, data, answer->'line_items' AS lines FROM facts WHERE ${OWN} AND kind = 'reversal' AND external_id = ANY ($1::text[])`,
      conversions.map(({ externalId }) => externalId),
    );
    const known = new Map<string, KnownReversal[]>();
    for (const row of rows) known.set(row.external_id, [...(known.get(row.external_id) ?? []), reversalOf(row)]);
    return conversions.map((one) => ({ ...one, reversals: known.get(one.externalId) ?? [] }));
  },
});

/** What the tenant set, as far as it is known here. */
export async function capOf(tx: Tx, tenantId: string): Promise<Cap> {
  const [tenant] = (await entitiesById(tx, 'tenant', [{ tenantId, id: tenantId }])) as TenantEntity[];
  return { conversions: tenant?.reversalCapConversions ?? CAP_CONVERSIONS, minor: tenant?.reversalCapMinor ?? null };
}

interface FactRow {
  readonly data: ConversionReceivedData;
}
interface ReversalRow {
  readonly external_id: string;
  readonly data: ReversalReceivedData;
  readonly lines: readonly UnitsOfLine[] | null;
}
interface StandingRow extends Omit<Standing, 'leftOut'> {
  readonly left_out: number;
}

const standingOf = ({ left_out: leftOut, ...row }: StandingRow): Standing => ({ ...row, leftOut });

const reversalOf = ({ data, lines }: ReversalRow): KnownReversal => ({
  reversalId: data.reversalId,
  amountMinor: data.amountMinor ?? null,
  currency: data.currency ?? null,
  test: data.test,
  lines,
});

/** Whom they were credited to and what they earned, as far as it was told. A voided reward is worth nothing. */
async function withTidings(tx: Tx, progress: ProgressStore, conversions: readonly Taken[]): Promise<readonly Taken[]> {
  const tidings = await progress.of(
    tx,
    conversions.map(({ conversionId }) => conversionId),
  );
  return conversions.map((one) => {
    const { attribution, rewards = [] } = tidings.get(one.conversionId) ?? {};
    const credited = attribution?.credits.map(({ partnerId }) => partnerId) ?? [];
    const earned = one.test ? [] : rewards.filter(({ state }) => state !== 'voided' && state !== 'clawed_back');
    return { ...one, partnerIds: [...new Set([...credited, ...earned.map(({ partnerId }) => partnerId)])], rewards: earned };
  });
}

export const selections: SelectionStore = selectionStore(progressStore);
