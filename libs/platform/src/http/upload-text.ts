/** One record as it was cut out of an upload: nothing was checked but its shape. */
export type Cut =
  { readonly kind: 'line'; readonly text: string } | { readonly kind: 'cells'; readonly cells: readonly string[] } | Malformed;
interface Malformed {
  readonly kind: 'malformed';
  readonly code: 'malformed' | 'too_large';
  readonly problem: string;
  /** What it was, as far as it is at hand. */
  readonly text?: string;
}

/** Where reading goes on; `cut` is null for an empty line or row. Null instead of a step: the text ends before the record does. */
export interface Step {
  readonly next: number;
  readonly cut: Cut | null;
}

/** In UTF-16 units. */
export const ROW_MAX_LENGTH = 65_536;
const TOO_LARGE: Malformed = { kind: 'malformed', code: 'too_large', problem: 'has more than 65,536 characters' };
const NOT_UTF8: Malformed = { kind: 'malformed', code: 'malformed', problem: 'is not UTF-8' };

const UNCLOSED: Malformed = { kind: 'malformed', code: 'malformed', problem: 'has a quote that nothing closes' };

/** The next line of NDJSON. */
export function cutLine(text: string, at: number, isLast: boolean): Step | null {
  const end = text.indexOf('\n', at);
  if (end < 0 && !isLast) return text.length - at > ROW_MAX_LENGTH ? { next: text.length, cut: TOO_LARGE } : null;
  const line = text.slice(at, end < 0 ? text.length : end).trim();
  return { next: end < 0 ? text.length : end + 1, cut: line === '' ? null : checked({ kind: 'line', text: line }, line) };
}

/**
 * The next record of CSV (RFC 4180; line breaks may stand in quoted cells). What is wrongly quoted costs its own line alone: reading goes on
 * with the line below, whatever the quotes would swallow.
 */
export function cutCells(delimiter: string, text: string, at: number, isLast: boolean): Step | null {
  const cells: string[] = [];
  let i = at;
  for (;;) {
    const cell = text[i] === '"' ? quotedCell(text, i, delimiter, isLast) : plainCell(text, i, delimiter, isLast);
    if (cell === 'more')
      return text.length - at > ROW_MAX_LENGTH ? wrongLine(text, at, text.includes('\n', at) ? UNCLOSED : TOO_LARGE) : null;
    if (cell === 'unclosed') return wrongLine(text, at, UNCLOSED);
    if (cell === 'after') return wrongLine(text, at, malformed('has text behind a closing quote: double the quotes inside a quoted cell'));
    cells.push(cell.value);
    if (cell.end < text.length && text[cell.end] === delimiter) {
      i = cell.end + 1;
      continue;
    }
    const next = afterBreak(text, cell.end);
    // Sheets end in rows of nothing but separators.
    if (cells.every((cell) => cell === '')) return { next, cut: null };
    return { next, cut: checked({ kind: 'cells', cells }, text.slice(at, cell.end)) };
  }
}

/** Of a header line: sheets of half of Europe write semicolons. */
export function delimiterOf(header: string): string {
  const count = (mark: string): number => header.split(mark).length;
  return [',', ';', '\t'].reduce((best, mark) => (count(mark) > count(best) ? mark : best));
}

interface Cell {
  readonly value: string;
  /** Of the delimiter or the line break behind it, or the end of the text. */
  readonly end: number;
}

function plainCell(text: string, from: number, delimiter: string, isLast: boolean): Cell | 'more' {
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (c === delimiter || c === '\n' || (c === '\r' && text[i + 1] === '\n')) return { value: text.slice(from, i).trim(), end: i };
  }
  return isLast ? { value: text.slice(from).trim(), end: text.length } : 'more';
}

function quotedCell(text: string, from: number, delimiter: string, isLast: boolean): Cell | 'more' | 'unclosed' | 'after' {
  let i = from + 1;
  for (;;) {
    const quote = text.indexOf('"', i);
    if (quote < 0 || (quote + 1 === text.length && !isLast)) return isLast ? 'unclosed' : 'more';
    if (text[quote + 1] === '"') {
      i = quote + 2;
      continue;
    }
    const end = quote + 1;
    const value = text.slice(from + 1, quote).replaceAll('""', '"');
    const behind = text[end];
    if (behind === '\r' && end + 1 === text.length && !isLast) return 'more';
    const isBreak = behind === undefined || behind === '\n' || (behind === '\r' && (text[end + 1] === '\n' || end + 1 === text.length));
    return isBreak || behind === delimiter ? { value, end } : 'after';
  }
}

function wrongLine(text: string, at: number, cut: Malformed): Step | null {
  const end = text.indexOf('\n', at);
  // Without a line break the rest of the line is still to come: whoever reads on must drop it.
  const line = text.slice(at, end < 0 ? text.length : end).slice(0, ROW_MAX_LENGTH);
  return { next: end < 0 ? text.length : end + 1, cut: { ...cut, text: line.trimEnd() } };
}

function afterBreak(text: string, end: number): number {
  if (text[end] === '\r' && text[end + 1] === '\n') return end + 2;
  return Math.min(end + 1, text.length);
}

const malformed = (problem: string): Malformed => ({ kind: 'malformed', code: 'malformed', problem });

/** A decoder writes U+FFFD for bytes that are no UTF-8. */
function checked(cut: Cut, text: string): Cut {
  if (text.length > ROW_MAX_LENGTH) return TOO_LARGE;
  return text.includes('\ufffd') ? { ...NOT_UTF8, text } : cut;
}
