import { minorDigits } from '../../domain';
import { isObject } from '../shape';

export type Fields = Readonly<Record<string, unknown>>;

/** An object inside; empty where there is none. */
export const inside = (value: unknown): Fields => (isObject(value) ? value : {});

/** What an id field says, expanded or not. */
export const idIn = (value: unknown): string | null => {
  const id = isObject(value) ? value['id'] : value;
  return typeof id === 'string' && id !== '' ? id : null;
};

export const textIn = (value: unknown): string | null => (typeof value === 'string' && value.trim() !== '' ? value : null);

export const wholeIn = (value: unknown): number | null => (typeof value === 'number' && Number.isSafeInteger(value) ? value : null);

export const currencyIn = (value: unknown): unknown => (typeof value === 'string' ? value.toUpperCase() : value);

/** Seconds since 1970 as an instant; null where there are none. */
export const instantIn = (value: unknown): string | null => {
  const seconds = wholeIn(value);
  return seconds !== null && seconds > 0 && seconds < 8.64e12 ? new Date(seconds * 1000).toISOString() : null;
};

/**
 * Where Stripe's minor unit is not ISO 4217's: it counts ISK and UGX in hundredths, for old times' sake, and MGA in whole ones.
 * https://docs.stripe.com/currencies
 */
const STRIPES_DIGITS: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };

/** An amount in ISO 4217's minor units; what is no amount stays as it is, to be refused with its reason. */
export function minorIn(amount: unknown, currency: unknown): unknown {
  const code = currencyIn(currency);
  const digits = typeof code === 'string' ? STRIPES_DIGITS[code] : undefined;
  if (typeof amount !== 'number' || digits === undefined) return amount;
  return Math.round(amount * 10 ** (minorDigits(code as string) - digits));
}
