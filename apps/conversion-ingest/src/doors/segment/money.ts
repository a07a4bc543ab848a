import { minorDigits } from '../../domain';

/**
 * An amount in major units, as a number or a text in any common notation (`1,234.50`, `1.234,50`, `12,34`, `€ 12.34`), in minor units of the
 * currency. What could be read in two ways (`1,234`) is left as it is, to be refused with its reason: money is never guessed.
 */
export function minorOf(value: unknown, currency: unknown): unknown {
  const major = typeof value === 'string' ? majorIn(value) : value;
  if (typeof major !== 'number' || !Number.isFinite(major)) return value;
  return Math.round(Number((major * 10 ** minorDigits(String(currency))).toPrecision(15)));
}

const AMOUNT = /^-?(?:\d+|\d{1,3}(?:[.,'’ ]\d{3})+)(?:[.,]\d+)?$/;

function majorIn(text: string): number | null {
  const bare = text
    .replace(/[\p{Sc}\p{L}]/gu, '')
    .replace(/\s/g, ' ')
    .trim()
    .replace(/^- /, '-');
  if (!AMOUNT.test(bare)) return null;
  const digits = bare.replace(/['’ ]/g, '');
  const [points, commas] = [count(digits, '.'), count(digits, ',')];
  if (points > 0 && commas > 0) return bothIn(digits, points, commas);
  const mark = points > 0 ? '.' : ',';
  if (points + commas === 0) return Number(digits);
  if (points + commas > 1) return /^-?\d{1,3}(?:[.,]\d{3})+$/.test(digits) ? Number(digits.replaceAll(mark, '')) : null;
  // One comma and three digits: a thousand for some, a thousandth for others. A point is what programs write.
  if (mark === ',' && /^-?[1-9]\d{0,2},\d{3}$/.test(digits)) return null;
  return Number(digits.replace(',', '.'));
}

/** The last mark is the decimal one and stands once; the other groups. */
function bothIn(digits: string, points: number, commas: number): number | null {
  const [decimal, group] = digits.lastIndexOf('.') > digits.lastIndexOf(',') ? ['.', ','] : [',', '.'];
  if ((decimal === '.' ? points : commas) > 1) return null;
  return Number(digits.replaceAll(group as string, '').replace(decimal as string, '.'));
}

const count = (text: string, mark: string): number => text.split(mark).length - 1;
