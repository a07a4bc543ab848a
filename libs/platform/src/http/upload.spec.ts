import fc from 'fast-check';
import { batchesOf, cutUpload, type Row } from './upload-rows';
import { type Cut, cutCells, cutLine, delimiterOf, ROW_MAX_LENGTH } from './upload-text';

const allCells = (text: string, delimiter = ','): Cut[] => {
  const cuts: Cut[] = [];
  for (let at = 0; at < text.length;) {
    const step = cutCells(delimiter, text, at, true)!;
    expect(step.next).toBeGreaterThan(at);
    if (step.cut) cuts.push(step.cut);
    at = step.next;
  }
  return cuts;
};
const rowsOf = (text: string, delimiter?: string) => allCells(text, delimiter).map((cut) => (cut.kind === 'cells' ? cut.cells : cut.kind));

describe('a record of CSV', () => {
  it.each([
    ['a,b\nc,d', [['a', 'b'], ['c', 'd']]], // prettier-ignore
    ['a,b\r\nc,d\r\n', [['a', 'b'], ['c', 'd']]], // prettier-ignore
    ['"a,1","b ""x"""\n', [['a,1', 'b "x"']]],
    ['"a\nb",c\nd,e', [['a\nb', 'c'], ['d', 'e']]], // prettier-ignore
    ['a,\n,b\n', [['a', ''], ['', 'b']]], // prettier-ignore
    [' a , b \n', [['a', 'b']]],
    ['a\n\n\r\nb\n', [['a'], ['b']]], // prettier-ignore
    ['a,b\n,\n"",\nc,d\n', [['a', 'b'], ['c', 'd']]], // prettier-ignore
    ['5" pipe,b\n', [['5" pipe', 'b']]],
  ])('%j', (text, rows) => expect(rowsOf(text)).toEqual(rows));

  it('that is wrongly quoted costs its own line alone', () => {
    expect(rowsOf('a,b\n"x"y,1\nc,d\n')).toEqual([['a', 'b'], 'malformed', ['c', 'd']]);
    expect(rowsOf('a,b\n1,"open\nc,d\ne,f\n')).toEqual([['a', 'b'], 'malformed', ['c', 'd'], ['e', 'f']]);
    expect(rowsOf('a,"open')).toEqual(['malformed']);
  });

  it('that is too long, or no UTF-8, is named as that', () => {
    const [long, after] = allCells(`${'x'.repeat(ROW_MAX_LENGTH + 1)}\nb\n`);
    expect([long, after]).toMatchObject([{ kind: 'malformed', code: 'too_large' }, { cells: ['b'] }]);
    expect(allCells('a\ufffd\n')).toMatchObject([{ kind: 'malformed', problem: 'is not UTF-8' }]);
  });

  it('comes out as it was written, whatever the cells and wherever the text is torn', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', ' ', '"', ',', '\n', '\r', 'ü') });
    const row = fc.array(cell, { minLength: 2, maxLength: 4 }).filter((cells) => cells.some((text) => text !== ''));
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.nat(), (rows, seed) => {
        const text = rows.map((row) => row.map((c) => `"${c.replaceAll('"', '""')}"`).join(',')).join('\r\n');
        expect(rowsOf(text)).toEqual(rows);
        // Torn anywhere, a beginning is either whole already or waits for the rest.
        const torn = text.slice(0, seed % (text.length + 1));
        const step = cutCells(',', torn, 0, false);
        if (step !== null) expect(step.cut).toEqual({ kind: 'cells', cells: rows[0] });
      }),
    );
  });

  it('is separated by what its header has most of', () => {
    expect(['a,b', 'a;b;c,d', 'a\tb', 'a'].map(delimiterOf)).toEqual([',', ';', '\t', ',']);
  });
});

describe('a line of NDJSON', () => {
  it('ends at a line break, and an endless one is given up', () => {
    expect(cutLine('{}\r\n{', 0, false)).toEqual({ next: 4, cut: { kind: 'line', text: '{}' } });
    expect(cutLine('{}\r\n{', 4, false)).toBeNull();
    expect(cutLine('{}', 0, true)).toEqual({ next: 2, cut: { kind: 'line', text: '{}' } });
    expect(cutLine('  \n{}', 0, false)).toEqual({ next: 3, cut: null });
    expect(cutLine('x'.repeat(ROW_MAX_LENGTH + 1), 0, false)).toMatchObject({ cut: { code: 'too_large' } });
  });
});

describe('the rows of an upload', () => {
  const cut = async (text: string, pieceBytes = 3): Promise<{ columns: readonly string[] | null; rows: Row[] }> => {
    const bytes = Buffer.from(text);
    async function* chunks() {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    }
    const { columns, pieces } = await cutUpload(chunks(), 'csv');
    const rows: Row[] = [];
    for await (const batch of batchesOf(pieces, 1, { rowsMax: 2, charactersMax: 1_000, waitMs: 1_000 })) rows.push(...batch);
    return { columns, rows };
  };

  it('know the line of the file on which they begin, whatever stands in between', async () => {
    const { columns, rows } = await cut('\ufeffId;Größe\r\na;"two\r\nlines"\r\n\r\n"b"x;1\r\n;\r\nc;3');
    expect(columns).toEqual(['Id', 'Größe']);
    expect(rows.map(({ row, line, cut: { kind } }) => [row, line, kind])).toEqual([
      [1, 2, 'cells'],
      [2, 5, 'malformed'],
      [3, 7, 'cells'],
    ]);
  });

  it('are separated by what a spreadsheet says above its header', async () => {
    const { columns, rows } = await cut('sep=|\r\na,b|c\r\n1,5|2\r\n');
    expect(columns).toEqual(['a,b', 'c']);
    expect(rows).toEqual([{ row: 1, line: 3, cut: { kind: 'cells', cells: ['1,5', '2'] } }]);
  });

  it('that are endless are given up once, and the line below is read again', async () => {
    const { rows } = await cut(`a\n${'x'.repeat(ROW_MAX_LENGTH * 2)}\nb\n`, 10_000);
    expect(rows.map(({ row, line, cut: { kind } }) => [row, line, kind])).toEqual([
      [1, 2, 'malformed'],
      [2, 3, 'cells'],
    ]);
  });
});
