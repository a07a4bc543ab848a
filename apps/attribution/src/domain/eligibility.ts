import type { AttributionReason } from '@baton/contracts';
import { type Click, type Conversion, placeOf, type Terms } from './facts';

/** What a click is to a conversion. `unknown`: the catalog has not yet told its program, or the program's terms. */
export type Standing =
  | { readonly kind: 'eligible'; readonly terms: Terms }
  | { readonly kind: 'ineligible'; readonly reason: AttributionReason }
  | { readonly kind: 'unknown' };

/**
 * May this click earn this conversion? What needs no catalog is asked first, so that a click that can never count waits for nothing.
 * A click that the conversion itself names may seem later than it, within the program's clock skew: the advertiser's clock is behind.
 */
export function standingOf(conversion: Conversion, click: Click, termsOf: ReadonlyMap<string, Terms>): Standing {
  const isNamed = click.clickId === conversion.clickId;
  const ageMs = conversion.occurredAtMs - click.occurredAtMs;
  if (click.record && (click.record.bot || click.record.prefetch)) return ineligible('not_countable');
  if (ageMs < 0 && !isNamed) return ineligible('after_conversion');
  const place = placeOf(click);
  if (!place) return { kind: 'unknown' };
  if (conversion.programId !== null && conversion.programId !== place.programId) return ineligible('other_program');
  const terms = termsOf.get(place.programId);
  if (!terms) return { kind: 'unknown' };
  if (-ageMs > terms.clockSkewMs) return ineligible('after_conversion');
  if (ageMs > terms.windowMs) return ineligible('outside_window');
  return { kind: 'eligible', terms };
}

const ineligible = (reason: AttributionReason): Standing => ({ kind: 'ineligible', reason });
