import { nameId } from '@baton/contracts';
import { type Reception, type Refusal, type SelectionClaim, type Unreadable, unreadable } from './claim';
import { clickEvidence } from './click';
import { said } from './fields';
import { fingerprint } from './fingerprint';
import { instantText } from './instant';
import type { ReversalAsked, Stated } from './reversal';

export const SELECTORS = ['external_id', 'receipt_id', 'order_id', 'click_id', 'customer_id', 'email'] as const;
export type Selector = (typeof SELECTORS)[number];

/** Which conversions a reversal is of. */
export interface Selection {
  readonly by: Selector;
  /** Of an e-mail address its HMAC. */
  readonly value: string;
  /** Only those of this `event` or `type`; null: all. */
  readonly event: string | null;
}

export interface ReturnedLine {
  readonly sku: string;
  /** Absent: all that is left of the line. */
  readonly quantity?: number | null;
}

/** All that is needed to take a conversion back, now or when it comes. Kept as JSON where it waits. */
export interface TakingTerms extends Stated {
  readonly tenantId: string;
  /** Fact id and receipt of the request. */
  readonly requestId: string;
  readonly receiptId: string;
  readonly door: string;
  readonly selection: Selection;
  /** Sorted by sku, each once. */
  readonly lines: readonly ReturnedLine[] | null;
  readonly occurredAt: string;
  /** In ms since 1970, where the caller said it. */
  readonly occurredAtMs: number | null;
  readonly receivedAt: string;
  readonly test: boolean;
}

/** The one selector of a request. */
export function selectionIn(asked: ReversalAsked, reception: Reception): Selection | Unreadable {
  const named: Record<Selector, string | null> = {
    // Any text is somebody's id; the others are new, and what says nothing counts as absent.
    external_id: asked.external_id || null,
    receipt_id: said(asked.receipt_id),
    order_id: said(asked.order_id),
    click_id: said(asked.click_id),
    customer_id: said(asked.customer_id),
    email: asked.emailHash ?? null,
  };
  const [by, more] = SELECTORS.filter((one) => named[one] !== null);
  if (!by || more) return unreadable('malformed', `Name exactly one of ${SELECTORS.join(', ')}.`, more ?? 'external_id');
  const event = said(asked.event);
  if (event !== null && by !== 'click_id') return unreadable('malformed', 'event goes with click_id.', 'event');
  const value = named[by] as string;
  const disbelief = by === 'click_id' ? clickEvidence(reception.clickIdKeys, reception.tenantId, value).disbelief : null;
  return disbelief ? unreadable(disbelief, undefined, 'click_id') : { by, value, event };
}

interface Parts {
  readonly asked: ReversalAsked;
  readonly selection: Selection;
  readonly stated: Stated;
  readonly time: { readonly occurredAtMs: number; readonly sent: boolean; readonly refusal: Refusal | null };
  readonly reception: Reception;
}

export function claimSelection({ asked, selection, stated, time, reception }: Parts): SelectionClaim | Unreadable {
  const isOne = selection.by === 'external_id' || selection.by === 'receipt_id';
  if (!isOne && (stated.amountMinor !== null || stated.currency !== null))
    return unreadable(
      'malformed',
      'amount_minor and currency go with external_id or receipt_id, which name one conversion. Of several, take back line_items or all.',
      stated.amountMinor === null ? 'currency' : 'amount_minor',
    );
  const lines = linesIn(asked, stated);
  if (lines !== null && 'kind' in lines) return lines;
  const { tenantId, receiptId, door, test } = reception;
  const occurredAtMs = time.sent ? time.occurredAtMs : null;
  const core = { ...selection, lines, ...stated, reason: null, test };
  const requestId = requestIdOf(tenantId, selection, lines, stated.externalReversalId);
  const receivedAt = instantText(reception.receivedAtMs);
  return {
    kind: 'reversals',
    tenantId,
    door,
    factId: requestId,
    receiptId,
    bodyHash: fingerprint('reversals', { ...core, reason: stated.reason, occurredAtMs }),
    coreHash: fingerprint('reversals core', core),
    externalId: selection.by === 'external_id' ? selection.value : null,
    orderId: selection.by === 'order_id' ? selection.value : null,
    receivedAt,
    droppedEvidence: [],
    test,
    refusal: time.refusal,
    data: { occurredAt: instantText(time.occurredAtMs) },
    terms: {
      ...stated,
      tenantId,
      requestId,
      receiptId,
      door,
      selection,
      lines,
      occurredAt: instantText(time.occurredAtMs),
      occurredAtMs,
      receivedAt,
      test,
    },
    confirmed: asked.confirm === true,
    dryRun: asked.dry_run === true,
  };
}

/** The caller's id of the refund makes the request what it is; without one, what is taken does. */
const requestIdOf = (
  tenantId: string,
  { by, value, event }: Selection,
  lines: readonly ReturnedLine[] | null,
  reversalId: string | null,
) =>
  reversalId === null
    ? nameId('reversals', tenantId, by, value, event ?? '', JSON.stringify(lines?.map(({ sku }) => sku) ?? []))
    : nameId('reversals', tenantId, by, value, event ?? '', JSON.stringify([]), reversalId);

function linesIn({ line_items }: ReversalAsked, { amountMinor, externalReversalId }: Stated): readonly ReturnedLine[] | null | Unreadable {
  if (!line_items?.length) return null;
  if (amountMinor !== null) return unreadable('malformed', 'Send amount_minor or line_items, not both.', 'line_items');
  const skus = new Set(line_items.map(({ sku }) => sku));
  if (skus.size < line_items.length) return unreadable('malformed', 'Name each sku once, with its quantity.', 'line_items');
  // A whole line can come back once; a piece of one can come back again, and must be told from a repeat.
  if (externalReversalId === null && line_items.some(({ quantity }) => (quantity ?? null) !== null))
    return unreadable('reversal_id_missing', 'A quantity of a line needs reversal_id, so that a repeat can be told from a second return.');
  return line_items
    .map(({ sku, quantity }) => ({ sku, ...((quantity ?? null) === null ? {} : { quantity: quantity as number }) }))
    .sort((a, b) => (a.sku < b.sku ? -1 : 1));
}
