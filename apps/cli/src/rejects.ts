import { batchesOf, cutUpload, delimiterOf, type Row } from '@baton/platform';
import { closeSync, createReadStream, createWriteStream, openSync, readSync, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { finished } from 'node:stream/promises';

export interface RejectedRow {
  readonly row: number;
  readonly reason: string;
  readonly detail: string;
}

/** A file of rejected rows as they were written, and why, to be mended and imported again. */
export interface Rejects {
  /** In the order of their rows. */
  add(rejected: RejectedRow): Promise<void>;
  close(): Promise<void>;
}

const LIMITS = { rowsMax: 500, charactersMax: 1024 * 1024, waitMs: 60_000 };
const OWN = ['reason', 'detail'];
const BYTE_ORDER_MARK = '\ufeff';

/** Reads the file beside the upload, as far as the last rejected row: no row stays in memory. */
export async function openRejects(file: string, format: 'csv' | 'ndjson', target: string): Promise<Rejects> {
  const source = createReadStream(file);
  const { columns, delimiter, pieces } = await cutUpload(source, format);
  const out = createWriteStream(target);
  const texts = columns ? sheet(columns, delimiter) : null;
  if (texts) await write(out, (hasMark(file) ? BYTE_ORDER_MARK : '') + texts.header);
  const rows = eachRow(batchesOf(pieces, 1, LIMITS));
  return {
    add: async (rejected) => {
      for await (const row of rows) {
        if (row.row < rejected.row) continue;
        return write(out, texts ? texts.rowOf(row, rejected) : lineOf(row, rejected));
      }
    },
    close: async () => {
      source.destroy();
      out.end();
      await finished(out);
    },
  };
}

/** Goes on where it was left, though one looks at it row by row. */
function eachRow(batches: AsyncGenerator<Row[]>): AsyncIterable<Row> {
  let [batch, at]: [Row[], number] = [[], 0];
  const next = async (): Promise<IteratorResult<Row>> => {
    while (at >= batch.length) {
      const more = await batches.next();
      if (more.done) return { done: true, value: undefined };
      [batch, at] = [more.value, 0];
    }
    return { done: false, value: batch[at++] as Row };
  };
  return { [Symbol.asyncIterator]: () => ({ next }) };
}

/** Separated as the file itself, since that tells how its amounts are to be read. */
function sheet(columns: readonly string[], delimiter: string) {
  const kept = columns.flatMap((name, i) => (OWN.includes(name.toLowerCase()) ? [] : [i]));
  const lineOf = (cells: readonly string[]): string => `${cells.map((cell) => cellText(cell, delimiter)).join(delimiter)}\r\n`;
  const header = lineOf([...kept.map((i) => columns[i] ?? ''), ...OWN]);
  return {
    header: (delimiterOf(header) === delimiter ? '' : `sep=${delimiter}\r\n`) + header,
    rowOf: ({ cut }: Row, { reason, detail }: RejectedRow): string => {
      // What could not be cut into cells stands whole in the first.
      const cells = cut.kind === 'cells' ? cut.cells : [cut.kind === 'malformed' ? (cut.text ?? '') : cut.text];
      const own = cut.kind === 'cells' ? kept.map((i) => cells[i] ?? '') : [cells[0] ?? '', ...kept.slice(1).map(() => '')];
      return lineOf([...own, reason, detail]);
    },
  };
}

/** Whoever opens it in a spreadsheet runs no cell of it; when it is imported, the sign in front is taken away again. */
function cellText(cell: string, delimiter: string): string {
  const safe = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell;
  return safe.includes(delimiter) || /["\r\n]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function lineOf({ cut }: Row, { reason, detail }: RejectedRow): string {
  const text = 'text' in cut ? (cut.text ?? '') : '';
  return `${JSON.stringify({ ...fieldsOf(text), reason, detail })}\n`;
}

function fieldsOf(text: string): object {
  try {
    const parsed = JSON.parse(text) as unknown;
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed;
  } catch {
    // It is told as it stands.
  }
  return { line: text };
}

async function write(out: WriteStream, text: string): Promise<void> {
  if (!out.write(text)) await once(out, 'drain');
}

function hasMark(file: string): boolean {
  const handle = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(3);
    readSync(handle, bytes, 0, 3, 0);
    return bytes.toString('utf8') === BYTE_ORDER_MARK;
  } finally {
    closeSync(handle);
  }
}
