import type { Selection, TakingTerms } from './selection';
import { type Cap, isOver, summed, type Tally, tallyOf } from './selection-judge';
import { type KnownReversal, type Taken, type Taking, takingsOf } from './taking';

/** A click that was taken back takes what comes late with it, not what it sells for ever after. */
const CLICK_STANDS_MS = 24 * 3_600_000;

/** A reversal that waits for conversions. */
export interface Standing {
  readonly terms: TakingTerms;
  /** Null: confirmed. */
  readonly cap: Cap | null;
  readonly taken: Pick<Tally, 'conversions' | 'amounts'>;
  /** Conversions that came and were left, since the cap was reached. */
  readonly leftOut: number;
}

/** What standing reversals take of conversions that have just come, each seeing what those before it took; and the standing ones as they are then. */
export function takingsOfStandings(
  standings: readonly Standing[],
  arrived: readonly Taken[],
): { readonly takings: readonly Taking[]; readonly after: readonly Standing[] } {
  const all: Taking[] = [];
  let conversions = arrived;
  const after = standings.map((standing) => {
    const { takings, after: changed } = takingsOfStanding(standing, conversions);
    all.push(...takings);
    conversions = conversions.map((one) => withTakings(one, takings));
    return changed;
  });
  return { takings: all, after };
}

const withTakings = (one: Taken, takings: readonly Taking[]): Taken => {
  const more = takings
    .filter(({ of }) => of.conversionId === one.conversionId)
    .map(({ claim: { data }, lines }): KnownReversal => ({
      reversalId: data.reversalId,
      amountMinor: data.amountMinor ?? null,
      currency: data.currency ?? null,
      test: data.test,
      lines,
    }));
  return more.length === 0 ? one : { ...one, reversals: [...one.reversals, ...more] };
};

/** What a standing reversal takes of conversions that came after it, in their order; unconfirmed never more than its cap altogether. */
function takingsOfStanding(
  standing: Standing,
  arrived: readonly Taken[],
): { readonly takings: readonly Taking[]; readonly after: Standing } {
  const takings: Taking[] = [];
  let { taken, leftOut } = standing;
  for (const one of arrived.filter((conversion) => isOf(standing.terms, conversion))) {
    const own = takingsOf(standing.terms, one);
    if (own.length === 0) continue;
    const next = { conversions: taken.conversions + 1, amounts: summed([...taken.amounts, ...tallyOf(own).amounts]) };
    if (standing.cap !== null && isOver(next, standing.cap)) {
      leftOut++;
      continue;
    }
    takings.push(...own);
    taken = next;
  }
  return { takings, after: { ...standing, taken, leftOut } };
}

/** As the store selects: kept beside it, since what waits is matched the other way round. */
function isOf({ selection, test, occurredAt }: TakingTerms, conversion: Taken): boolean {
  if (conversion.test !== test) return false;
  const { by, value, event } = selection;
  if (by === 'external_id') return conversion.externalId === value;
  if (by === 'order_id') return (conversion.orderId ?? conversion.externalId) === value;
  if (by !== 'click_id' || conversion.clickId !== value) return false;
  if (event !== null && conversion.event !== event && conversion.type !== event) return false;
  return Date.parse(conversion.occurredAt) <= Date.parse(occurredAt) + CLICK_STANDS_MS;
}

/** Under which selectors a reversal may wait for this conversion. */
export const selectorsOf = ({ externalId, orderId, clickId }: Taken): Pick<Selection, 'by' | 'value'>[] => [
  { by: 'external_id', value: externalId },
  { by: 'order_id', value: orderId ?? externalId },
  ...(clickId === null ? [] : [{ by: 'click_id' as const, value: clickId }]),
];
