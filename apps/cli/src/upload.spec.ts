import { batchesOf, cutUpload } from '@baton/platform';
import fc from 'fast-check';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openRejects } from './rejects';
import { nextCounts, noneOf, progressText } from './upload-counts';

const KINDS = ['accepted', 'rejected'];

describe('the counts of a file', () => {
  it('add up over its uploads, and rows count from the first', () => {
    const first = nextCounts(noneOf(KINDS), { progress: { rows: 40, accepted: 39, rejected: 1 } });
    const second = nextCounts(first, { done: true, rows: 60, accepted: 20, rejected: 0, catalog_version: 7 });
    expect(second).toEqual({ rows: 60, of: { accepted: 59, rejected: 1 } });
    expect(nextCounts(second, { row: 3 })).toBe(second);
  });

  it('are shown with their pace and with what is left', () => {
    const counts = { rows: 500, of: { accepted: 499, rejected: 1 } };
    expect(progressText(counts, 0.25, 2_000)).toBe('██████░░░░░░░░░░░░░░░░░░  25 %  500 rows, 250/s, 6 s left  499 accepted, 1 rejected');
    expect(progressText(counts, 0.01, 10_000)).toContain('17 min left');
    expect(progressText(noneOf(KINDS), 1, 0)).toBe('████████████████████████ 100 %  0 rows, 0/s');
  });
});

describe('the file of rejected rows', () => {
  let folder: string;
  beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'baton-rejects-'))));
  afterAll(() => rmSync(folder, { recursive: true }));

  const rejectsOf = async (text: string, rows: readonly number[], format: 'csv' | 'ndjson' = 'csv'): Promise<string> => {
    const [file, target] = [join(folder, 'in'), join(folder, 'out')];
    writeFileSync(file, text);
    const rejects = await openRejects(file, format, target);
    for (const row of rows) await rejects.add({ row, reason: 'malformed', detail: `Line ${row + 1}: no, it is not` });
    await rejects.close();
    return readFileSync(target, 'utf8');
  };

  it('has each row’s own cells, with reason and detail in place of older ones, separated as the file is', async () => {
    const text = '\ufeffid;Reason;amount;detail\r\na;old;1,5;x\r\nb;;2;\r\n"c";;"a ""b"";";\r\n';
    expect(await rejectsOf(text, [1, 3])).toBe(
      '\ufeffid;amount;reason;detail\r\na;1,5;malformed;Line 2: no, it is not\r\nc;"a ""b"";";malformed;Line 4: no, it is not\r\n',
    );
    expect(await rejectsOf('sep=|\na,b|c\n1|2\n', [1])).toBe('sep=|\r\na,b|c|reason|detail\r\n1|2|malformed|Line 2: no, it is not\r\n');
  });

  it('keeps a row that could not be cut whole, in its first cell', async () => {
    expect(await rejectsOf('a,b\n"x"y,1\n', [1])).toBe('a,b,reason,detail\r\n"""x""y,1",,malformed,"Line 2: no, it is not"\r\n');
  });

  it('of NDJSON is NDJSON', async () => {
    expect(await rejectsOf('{"a":1}\n{"a":2,"reason":"old"}\n{"a":', [2, 3], 'ndjson')).toBe(
      '{"a":2,"reason":"malformed","detail":"Line 3: no, it is not"}\n{"line":"{\\"a\\":","reason":"malformed","detail":"Line 4: no, it is not"}\n',
    );
  });

  it('reads as the rows that were rejected, and begins no cell with what a spreadsheet would run', async () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '=', '-', '@', '+', "'", '\t', '"', ',', '\r', '\n', ' ', 'ü'), maxLength: 5 });
    const row = fc.tuple(cell, cell).filter((cells) => cells.some((text) => text !== ''));
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 6 }), async (rows) => {
        const quoted = (cells: readonly string[]) => cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(',');
        const out = await rejectsOf(['a,b', ...rows.map(quoted)].join('\n'), rows.map((_, i) => i + 1)); // prettier-ignore
        const { pieces } = await cutUpload(chunks(out), 'csv');
        const read: string[][] = [];
        for await (const batch of batchesOf(pieces, 1, { rowsMax: 10, charactersMax: 1_000, waitMs: 1_000 }))
          for (const { cut } of batch) read.push(cut.kind === 'cells' ? cut.cells.slice(0, 2) : [cut.kind]);
        for (const text of read.flat()) expect(text).not.toMatch(/^[=+\-@\t\r]/);
        expect(read).toEqual(rows.map((cells) => cells.map((text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text))));
      }),
      { numRuns: 50 },
    );
  });
});

async function* chunks(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
