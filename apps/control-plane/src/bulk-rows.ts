import { Problem } from '@baton/platform';
import { type Cut, cutCells, cutLine, delimiterOf, type Step } from './domain/bulk-text';

export type Format = 'ndjson' | 'csv';

export interface Cutting {
  /** Of a CSV; null for NDJSON, whose rows name their fields themselves. */
  readonly columns: readonly string[] | null;
  /** Pieces of the upload as they arrive: what was cut out of each, in order. */
  readonly pieces: AsyncGenerator<Cut[]>;
}

const HEADER_MAX_LENGTH = 16_384;

/** Reads as far as the header, so that a wrong one is refused before anything is answered. Holds one chunk and one row, however long the upload. */
export async function cutUpload(chunks: AsyncIterable<Buffer>, format: Format): Promise<Cutting> {
  const source = chunks[Symbol.asyncIterator]();
  const decoder = new TextDecoder('utf-8');
  const next = async (): Promise<string | null> => {
    const chunk = await source.next();
    if (!chunk.done) return decoder.decode(chunk.value, { stream: true });
    // Half a character at the very end is a fault of the last row, not nothing.
    return decoder.decode() || null;
  };
  if (format === 'ndjson') return { columns: null, pieces: cutPieces('', next, cutLine) };
  const { header, rest } = await headerOf(next);
  const delimiter = delimiterOf(header);
  const cut = cutCells(delimiter, header, 0, true)?.cut;
  if (cut?.kind !== 'cells')
    throw new Problem('malformed', 'The first line must name the columns, such as program_id,partner_id,destination.');
  return { columns: cut.cells.map((c) => c.toLowerCase()), pieces: cutPieces(rest, next, cutCells.bind(null, delimiter)) };
}

async function headerOf(next: () => Promise<string | null>): Promise<{ header: string; rest: string }> {
  let text = '';
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
  first: string,
  next: () => Promise<string | null>,
  cut: (text: string, at: number, isLast: boolean) => Step | null,
): AsyncGenerator<Cut[]> {
  let text = first;
  let isLast = false;
  /** The rest of a row that was given up is still to come. */
  let isDropping = false;
  for (;;) {
    const cuts: Cut[] = [];
    let at = 0;
    if (isDropping) {
      const end = text.indexOf('\n');
      at = end < 0 ? text.length : end + 1;
      isDropping = end < 0;
    }
    while (at < text.length) {
      const step = cut(text, at, isLast);
      if (step === null) break;
      if (step.cut) cuts.push(step.cut);
      isDropping = !isLast && step.cut?.kind === 'malformed' && text[step.next - 1] !== '\n';
      at = step.next;
    }
    if (cuts.length > 0) yield cuts;
    if (isLast) return;
    const more = await next();
    isLast = more === null;
    text = text.slice(at) + (more ?? '');
  }
}

export interface Row {
  /** From 1; neither the header nor empty lines count. */
  readonly row: number;
  readonly cut: Cut;
}

export interface BatchLimits {
  readonly rowsMax: number;
  readonly charactersMax: number;
  /** Who sends slowly gets verdicts on what came so far after this long. */
  readonly waitMs: number;
}

/** Rows from `firstRow` on, in batches. */
export async function* batchesOf(pieces: AsyncGenerator<Cut[]>, firstRow: number, limits: BatchLimits): AsyncGenerator<Row[]> {
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
    for (const cut of piece.value) {
      if (++row < firstRow) continue;
      batch.push({ row, cut });
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
