import fc from 'fast-check';
import { bodyOfRecord, recordOfCells, unknownColumns } from './bulk-row';
import { type Cut, cutCells, cutLine, delimiterOf, ROW_MAX_LENGTH } from './bulk-text';
import { type Candidate, judge, type Known, type KnownLink } from './bulk-verdict';

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
    fc.assert(
      fc.property(fc.array(fc.array(cell, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 5 }), fc.nat(), (rows, seed) => {
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

describe('the columns of a row', () => {
  const fields = ['id', 'program_id', 'sub_ids', 'utm', 'click_cap', 'targets'];
  it('are gathered under the fields that they belong to', () => {
    expect(
      bodyOfRecord({ program_id: 'p', sub1: 'a', sid: 'b', 'sub_ids.campaign': 'c', utm_source: 's', sub_ids: { sub2: 'd' } }),
    ).toEqual({
      program_id: 'p',
      sub_ids: { sub2: 'd', sub1: 'a', sid: 'b', campaign: 'c' },
      utm: { source: 's' },
    });
    expect(bodyOfRecord({ slug: 'x', state: 'y', sub_ids: 'not a map', sub1: 'a' })).toEqual({
      slug: 'x',
      state: 'y',
      sub_ids: 'not a map',
    });
  });
  it('are read from cells: numbers, JSON, and nothing from empty ones', () => {
    expect(recordOfCells(['id', 'click_cap', 'sub_ids'], ['', '12', '{"a":"b"}'])).toEqual({
      kind: 'ok',
      record: { click_cap: 12, sub_ids: { a: 'b' } },
    });
    expect(recordOfCells(['click_cap'], ['1e3'])).toEqual({ kind: 'ok', record: { click_cap: '1e3' } });
    expect(recordOfCells(['id', 'sub_ids'], ['x', '{'])).toMatchObject({ kind: 'malformed', problems: [{ field: 'sub_ids' }] });
    expect(recordOfCells(['id'], ['x', 'y'])).toMatchObject({ kind: 'malformed' });
  });
  it('are refused when a link has no field for them', () => {
    expect(unknownColumns(['id', 'sub1', 'utm_term', 'utm_medium', 'color'], fields)).toEqual(['utm_medium', 'color']);
    expect(unknownColumns(['utm_term'], ['id'])).toEqual(['utm_term']);
  });
});

describe('the verdicts on a batch', () => {
  const content = (destination = 'https://shop.example/') => ({ programId: 'p', partnerId: 'q', destination, subIds: {} });
  const row = (n: number, more: Partial<Candidate> = {}): Candidate => ({
    row: n,
    id: null,
    slug: null,
    fingerprint: null,
    content: content(),
    ...more,
  });
  const known = (links: readonly KnownLink[], fingerprints: readonly (readonly [string, string])[] = []): Known => ({
    fingerprints: new Map(fingerprints),
    byId: new Map(links.map((link) => [link.id, link])),
    bySlug: new Map(links.map((link) => [link.slug, link])),
  });
  const link: KnownLink = { id: 'i', slug: 's', number: 7, catalogVersion: 9, content: content() };
  const kinds = (rows: readonly Candidate[], k: Known) => judge(rows, k).map((j) => (j.kind === 'rejected' ? j.code : j.kind));

  it('know what is there by its id, else by its slug', () => {
    expect(kinds([row(1, { id: 'i' }), row(2, { slug: 's' }), row(3, { id: 'i', slug: 's' })], known([link]))).toEqual([
      'exists',
      'exists',
      'exists',
    ]);
    expect(kinds([row(1, { id: 'i', slug: 'other' }), row(2, { id: 'j', slug: 's' })], known([link]))).toEqual(['conflict', 'slug_taken']);
    const other = { content: content('https://shop.example/other') };
    expect(kinds([row(1, { id: 'i', ...other }), row(2, { slug: 's', ...other })], known([link]))).toEqual(['conflict', 'slug_taken']);
  });
  it('go by what was asked for when the link has changed since', () => {
    const moved = { ...link, content: content('https://shop.example/moved') };
    const k = known([moved], [['i', 'asked']]);
    expect(kinds([row(1, { id: 'i', fingerprint: 'asked' }), row(2, { id: 'i', fingerprint: 'else', content: moved.content })], k)).toEqual(
      ['exists', 'conflict'],
    );
  });
  it('let the first of two rows hold', () => {
    const rows = [
      row(1, { id: 'a' }),
      row(2, { id: 'a' }),
      row(3, { id: 'a', slug: 'x' }),
      row(4, { slug: 'y' }),
      row(5, { slug: 'y' }),
      row(6, { slug: 'y', id: 'b' }),
    ];
    expect(kinds(rows, known([]))).toEqual(['create', 'repeats', 'conflict', 'create', 'repeats', 'slug_taken']);
  });
  it('never take two nameless rows for one', () => expect(kinds([row(1), row(2)], known([]))).toEqual(['create', 'create']));
});
