import { Problem } from './problem';
import { type Cut, cutCells, cutLine, delimiterOf, type Step } from './upload-text';

export type Format = 'ndjson' | 'csv';

/** One record of an upload, and the line of the file on which it begins (from 1). */
interface Piece {
  readonly line: number;
  readonly cut: Cut;
}

export interface Cutting {
  /** Of a CSV, as they are written; null for NDJSON, whose rows name their fields themselves. */
  readonly columns: readonly string[] | null;
  /** What separates the cells of a CSV. */
  readonly delimiter: string;
  /** Pieces of the upload as they arrive: what was cut out of each, in order. */
  readonly pieces: AsyncGenerator<Piece[]>;
}

const HEADER_MAX_LENGTH = 16_384;
/** What spreadsheets write above the header to say how cells are separated. */
const SEPARATOR_LINE = /^sep=(.)$/i;

/** Reads as far as the header, so that a wrong one is refused before anything is answered. Holds one chunk and one row, however long the upload. */
export async function cutUpload(chunks: AsyncIterable<Buffer>, format: Format, example = 'a,b,c'): Promise<Cutting> {
  const source = chunks[Symbol.asyncIterator]();
  // It leaves a byte order mark out.
  const decoder = new TextDecoder('utf-8');
  const next = async (): Promise<string | null> => {
    const chunk = await source.next();
    if (!chunk.done) return decoder.decode(chunk.value, { stream: true });
    // Half a character at the very end is a fault of the last row, not nothing.
    return decoder.decode() || null;
  };
  if (format === 'ndjson') return { columns: null, delimiter: '', pieces: cutPieces({ text: '', line: 1 }, next, cutLine) };
  let { header, rest } = await headerOf('', next);
  let line = 2;
  const separator = SEPARATOR_LINE.exec(header)?.[1];
  if (separator !== undefined) [{ header, rest }, line] = [await headerOf(rest, next), 3];
  const delimiter = separator ?? delimiterOf(header);
  const cut = cutCells(delimiter, header, 0, true)?.cut;
  if (cut?.kind !== 'cells') throw new Problem('malformed', `The first line must name the columns, such as ${example}.`);
  return { columns: cut.cells, delimiter, pieces: cutPieces({ text: rest, line }, next, cutCells.bind(null, delimiter)) };
}

async function headerOf(begun: string, next: () => Promise<string | null>): Promise<{ header: string; rest: string }> {
  let text = begun;
  for (;;) {
    const end = text.indexOf('\n');
    if (end >= 0) return { header: text.slice(0, end).trim(), rest: text.slice(end + 1) };
    if (text.length > HEADER_MAX_LENGTH) throw new Problem('malformed', 'The first line is too long to be a header.');
    const more = await next();
    if (more === null) return { header: text.trim(), rest: '' };
    text += more;
  }
}

async function* cutPieces(
  first: { readonly text: string; readonly line: number },
  next: () => Promise<string | null>,
  cut: (text: string, at: number, isLast: boolean) => Step | null,
): AsyncGenerator<Piece[]> {
  let { text, line } = first;
  let isLast = false;
  /** The rest of a row that was given up is still to come. */
  let isDropping = false;
  for (;;) {
    const pieces: Piece[] = [];
    let at = 0;
    if (isDropping) {
      const end = text.indexOf('\n');
      at = end < 0 ? text.length : end + 1;
      isDropping = end < 0;
      line += breaksIn(text, 0, at);
    }
    while (at < text.length) {
      const step = cut(text, at, isLast);
      if (step === null) break;
      if (step.cut) pieces.push({ line, cut: step.cut });
      isDropping = !isLast && step.cut?.kind === 'malformed' && text[step.next - 1] !== '\n';
      line += breaksIn(text, at, step.next);
      at = step.next;
    }
    if (pieces.length > 0) yield pieces;
    if (isLast) return;
    const more = await next();
    isLast = more === null;
    text = text.slice(at) + (more ?? '');
  }
}

function breaksIn(text: string, from: number, to: number): number {
  let count = 0;
  for (let at = text.indexOf('\n', from); at >= 0 && at < to; at = text.indexOf('\n', at + 1)) count++;
  return count;
}

export interface Row {
  /** From 1; neither the header nor empty lines count. */
  readonly row: number;
  /** On which it begins, from 1: the header and empty lines count. */
  readonly line: number;
  readonly cut: Cut;
}

export interface BatchLimits {
  readonly rowsMax: number;
  readonly charactersMax: number;
  /** Who sends slowly gets verdicts on what came so far after this long. */
  readonly waitMs: number;
}

/** Rows from `firstRow` on, in batches. */
export async function* batchesOf(pieces: AsyncGenerator<Piece[]>, firstRow: number, limits: BatchLimits): AsyncGenerator<Row[]> {
  let batch: Row[] = [];
  let characters = 0;
  let row = 0;
  let coming = pieces.next();
  for (;;) {
    const piece = batch.length === 0 ? await coming : await within(coming, limits.waitMs);
    if (piece === 'late') {
      yield batch;
      [batch, characters] = [[], 0];
      continue;
    }
    if (piece.done) break;
    coming = pieces.next();
    // Whoever waits for it may be busy with a batch when it fails.
    coming.catch(() => undefined);
    for (const { line, cut } of piece.value) {
      if (++row < firstRow) continue;
      batch.push({ row, line, cut });
      characters += lengthOf(cut);
      if (batch.length < limits.rowsMax && characters < limits.charactersMax) continue;
      yield batch;
      [batch, characters] = [[], 0];
    }
  }
  if (batch.length > 0) yield batch;
}

async function within<T>(coming: Promise<T>, ms: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<'late'>((resolve) => (timer = setTimeout(() => resolve('late'), ms)));
  try {
    return await Promise.race([coming, late]);
  } finally {
    clearTimeout(timer);
  }
}

const lengthOf = (cut: Cut): number =>
  cut.kind === 'line' ? cut.text.length : cut.kind === 'cells' ? cut.cells.reduce((sum, cell) => sum + cell.length, 0) : 0;
