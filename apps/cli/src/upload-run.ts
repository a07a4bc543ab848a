import { InvalidArgumentError } from 'commander';
import { readFileSync, statSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { sendUpload, type Upload } from './upload';
import { type Counts, isOfRow, nextCounts, noneOf, progressText, type RowTold, type Told } from './upload-counts';

export interface Run extends Pick<Upload, 'service' | 'url' | 'headers' | 'file' | 'firstRow'> {
  /** As the service tallies them. */
  readonly kinds: readonly string[];
  /** After a failure without any row in between it is tried again this often. */
  readonly attempts: number;
  /** Each rejected row once, in order. */
  readonly rejected: (told: RowTold) => void | Promise<void>;
  readonly ended?: (told: Told) => void;
}

/** An upload that did not come to its end. */
export class UploadFailed extends Error {
  constructor(
    /** The same again would fail again. */
    readonly isFinal: boolean,
    message: string,
  ) {
    super(message);
  }
}

const WAIT_MAX_MS = 30_000;
const TOLD_EVERY_MS = 5_000;

/** A file to its end, over as many connections as that takes: after a failure it goes on behind the last row that was answered. */
export async function runUpload(run: Run): Promise<Counts> {
  const show = shower(statSync(run.file).size);
  let counts = noneOf(run.kinds, run.firstRow - 1);
  let [attempts, sentBytes, rejectedUpTo] = [0, 0, 0];
  for (;;) {
    const before = counts;
    const listen = async (told: Told): Promise<void> => {
      run.ended?.(told);
      if (!isOfRow(told)) {
        counts = nextCounts(before, told);
        return show(counts, sentBytes);
      }
      // After a broken connection the same row may be told again.
      if (told.row <= rejectedUpTo) return;
      rejectedUpTo = told.row;
      await run.rejected(told);
    };
    const sent = (bytes: number): void => void (sentBytes = bytes);
    const end = await sendUpload({ ...run, firstRow: before.rows + 1, listen, sent });
    if (end.kind === 'done') {
      complain('');
      return counts;
    }
    const why = end.why.replace(/\.$/, '');
    if (end.kind === 'refused') throw new UploadFailed(true, `${why}.`);
    attempts = counts.rows > before.rows ? 1 : attempts + 1;
    if (attempts > run.attempts)
      throw new UploadFailed(
        false,
        `${why}. ${counts.rows} rows are done: run the same again, with --resume-from ${counts.rows + 1} to save time.`,
      );
    const waitMs = Math.min(WAIT_MAX_MS, Math.max(end.waitMs ?? 0, 500 * 2 ** attempts));
    complain(`\n${end.why}; going on from row ${counts.rows + 1} in ${waitMs / 1000} s`);
    await pause(waitMs);
  }
}

export function keyOf({ key, keyFile }: { readonly key?: string; readonly keyFile?: string }): string {
  const text = key ?? (keyFile === undefined ? process.env['BATON_API_KEY'] : readFileSync(keyFile, 'utf8').trim());
  if (!text) throw new Error('which key? Give --key-file, or set BATON_API_KEY');
  return text;
}

export function contentTypeOf(file: string, format = file.split('.').at(-1)?.toLowerCase()): 'text/csv' | 'application/x-ndjson' {
  if (format === 'csv') return 'text/csv';
  if (format === 'ndjson' || format === 'jsonl') return 'application/x-ndjson';
  throw new Error(`${file} is neither .csv nor .ndjson by its name: give --format csv or --format ndjson`);
}

export function wholeFrom1(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('Give a whole number from 1.');
  return count;
}

/** A line that is written over on a terminal, a new one now and then elsewhere. */
function shower(totalBytes: number): (counts: Counts, sentBytes: number) => void {
  const startMs = Date.now();
  let toldMs = startMs;
  return (counts, sentBytes) => {
    const now = Date.now();
    const text = progressText(counts, totalBytes === 0 ? 1 : sentBytes / totalBytes, now - startMs);
    if (process.stderr.isTTY) process.stderr.write(`\r${text}\u001b[K`);
    else if (now - toldMs >= TOLD_EVERY_MS) {
      toldMs = now;
      complain(text);
    }
  };
}

export const say = (text: string): void => void process.stdout.write(`${text}\n`);
export const complain = (text: string): void => void process.stderr.write(`${text}\n`);
