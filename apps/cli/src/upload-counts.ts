/** What a service tells while it takes an upload, a line each. */
export type Told = RowTold | { readonly progress: Tally } | Ended;
/** Told of a row: its number, and what became of it. */
export interface RowTold {
  readonly row: number;
  readonly [name: string]: unknown;
}
type Ended = Tally & { readonly done: boolean; readonly code?: string; readonly resume_from?: number };

/** `rows` counts from the file's first row; the others, one for each kind of verdict, from where this upload began. */
interface Tally {
  readonly rows: number;
  readonly [name: string]: unknown;
}

/** Of a whole file, over as many uploads as it takes. */
export interface Counts {
  readonly rows: number;
  readonly of: Readonly<Record<string, number>>;
}

export const noneOf = (kinds: readonly string[], rows = 0): Counts => ({ rows, of: Object.fromEntries(kinds.map((kind) => [kind, 0])) });

export const isOfRow = (told: Told): told is RowTold => 'row' in told;
export const isEnd = (told: Told): told is Ended => 'done' in told;

/** What is known after a line; `before` is what earlier uploads of the same file came to. */
export function nextCounts(before: Counts, told: Told): Counts {
  if (isOfRow(told)) return before;
  const tally = (isEnd(told) ? told : told.progress) as Tally;
  return {
    rows: tally.rows,
    of: Object.fromEntries(Object.entries(before.of).map(([kind, count]) => [kind, count + Number(tally[kind] ?? 0)])),
  };
}

const BAR_LENGTH = 24;
const MINUTE_S = 60;

/** `share` of the file was sent, from 0 to 1. */
export function progressText({ rows, of }: Counts, share: number, elapsedMs: number): string {
  const filled = Math.round(Math.min(1, share) * BAR_LENGTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_LENGTH - filled);
  const done = Object.values(of).reduce((sum, count) => sum + count, 0);
  const perSecond = elapsedMs > 0 ? Math.round((done * 1000) / elapsedMs) : 0;
  const percent = `${Math.floor(Math.min(1, share) * 100)} %`.padStart(5);
  const kinds = Object.entries(of).filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${kind}`); // prettier-ignore
  return `${bar} ${percent}  ${rows} rows, ${perSecond}/s${leftText(share, elapsedMs)}${kinds.length > 0 ? `  ${kinds.join(', ')}` : ''}`;
}

function leftText(share: number, elapsedMs: number): string {
  if (share <= 0 || share >= 1) return '';
  const leftS = Math.ceil((elapsedMs * (1 - share)) / share / 1000);
  return `, ${leftS < 2 * MINUTE_S ? `${leftS} s` : `${Math.round(leftS / MINUTE_S)} min`} left`;
}
