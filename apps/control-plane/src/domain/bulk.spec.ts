import { bodyOfRecord, recordOfCells, unknownColumns } from './bulk-row';
import { type Candidate, judge, type Known, type KnownLink } from './bulk-verdict';

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
