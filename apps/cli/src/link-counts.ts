/** What control-plane tells while it takes an upload, a line each. */
export type Told =
  | { readonly row: number; readonly status: string; readonly code?: string; readonly problems?: readonly object[] }
  | { readonly progress: Tally }
  | ({ readonly done: true; readonly catalog_version: number | null } & Tally)
  | ({ readonly done: false; readonly code: string; readonly resume_from: number } & Tally);

/** `rows` counts from the file's first row; the others from where this upload began. */
interface Tally {
  readonly rows: number;
  readonly created: number;
  readonly exists: number;
  readonly rejected: number;
}

export interface Counts extends Tally {
  readonly catalogVersion: number | null;
}

/** What is known after a line; `before` is what earlier uploads of the same file came to. */
export function nextCounts(before: Counts, told: Exclude<Told, { row: number }>): Counts {
  const tally = 'progress' in told ? told.progress : told;
  const version = 'done' in told && told.done ? told.catalog_version : null;
  return {
    rows: tally.rows,
    created: before.created + tally.created,
    exists: before.exists + tally.exists,
    rejected: before.rejected + tally.rejected,
    catalogVersion: version ?? before.catalogVersion,
  };
}

const BAR_LENGTH = 24;

/** `share` of the file was sent, from 0 to 1. */
export function progressText({ rows, created, exists, rejected }: Counts, share: number, elapsedMs: number): string {
  const filled = Math.round(Math.min(1, share) * BAR_LENGTH);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_LENGTH - filled);
  const perSecond = elapsedMs > 0 ? Math.round(((created + exists + rejected) * 1000) / elapsedMs) : 0;
  const percent = `${Math.floor(Math.min(1, share) * 100)} %`.padStart(5);
  return `${bar} ${percent}  ${rows} rows, ${perSecond}/s  ${created} created, ${exists} there, ${rejected} rejected`;
}
