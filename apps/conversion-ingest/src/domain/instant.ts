const RFC_3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))$/;
const MINUTE_MS = 60_000;
const FIRST_MS = Date.UTC(2000, 0, 1);
const LAST_MS = Date.UTC(2200, 0, 1);

/**
 * RFC 3339 with any offset, to milliseconds since 1970; null when the text is not a real instant of the years 2000 to 2199. Digits
 * beyond the millisecond are cut. A leap second (23:59:60 UTC) is the first moment of the next day, as clocks without leap seconds show it.
 */
export function readInstant(text: string): number | null {
  const match = RFC_3339.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const [offsetHours, offsetMinutes] = [Number(match[9] ?? 0), Number(match[10] ?? 0)];
  if (hour > 23 || minute > 59 || second > 60 || offsetHours > 23 || offsetMinutes > 59 || !isDay(year, month, day)) return null;
  const offsetMs = (match[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * MINUTE_MS;
  const minuteMs = Date.UTC(year, month - 1, day, hour, minute) - offsetMs;
  if (second === 60 && new Date(minuteMs).toISOString().slice(11, 16) !== '23:59') return null;
  const ms = minuteMs + second * 1_000 + Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  return ms >= FIRST_MS && ms < LAST_MS ? ms : null;
}

export const instantText = (ms: number): string => new Date(ms).toISOString();

function isDay(year: number, month: number, day: number): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  // Years 0 to 99 are read as 1900 to 1999 by Date.UTC; they fall outside the range anyway.
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}
