import fc from 'fast-check';
import { unstorableIn } from '.';
import { isCurrency } from './currency';
import { readInstant } from './instant';
import { chooseProgram, type KnownProgram } from './program';

const PROGRAMS = ['22222222-2222-4222-8222-222222222222', '22222222-2222-4222-8222-333333333333'] as const;
const OTHER = '11111111-1111-4111-8111-222222222222';

describe('instants', () => {
  it.each([
    ['2026-01-31T12:00:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31t12:00:00.1239z', '2026-01-31T12:00:00.123Z'],
    ['2026-01-31T14:30:00+02:30', '2026-01-31T12:00:00.000Z'],
    ['2026-01-01T00:00:00-01:00', '2026-01-01T01:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
  ])('%s is %s', (text, iso) => expect(new Date(readInstant(text) as number).toISOString()).toBe(iso));

  it.each([
    '',
    'yesterday',
    '2026-01-31',
    '2026-01-31T12:00:00',
    '2026-02-30T12:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-01-31T24:00:00Z',
    '2026-01-31T12:00:60Z',
    '2026-13-01T00:00:00Z',
    '1999-12-31T23:59:59Z',
    '2026-01-31T12:00:00+24:00',
    '0000-01-01T00:00:00Z',
  ])('%p is none', (text) => expect(readInstant(text)).toBeNull());

  it('reads every offset of an instant as that instant', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: Date.UTC(2001, 0, 1), max: Date.UTC(2198, 0, 1) }),
        fc.integer({ min: -23 * 60, max: 23 * 60 }),
        (ms, minutes) => {
          const sign = minutes < 0 ? '-' : '+';
          const offset = `${sign}${String(Math.floor(Math.abs(minutes) / 60)).padStart(2, '0')}:${String(Math.abs(minutes) % 60).padStart(2, '0')}`;
          expect(readInstant(new Date(ms + minutes * 60_000).toISOString().replace('Z', offset))).toBe(ms);
        },
      ),
    );
  });
});

describe('the program of a conversion', () => {
  const [a, b] = PROGRAMS;
  const program = (id: string, state: KnownProgram['state'] = 'active'): KnownProgram => ({ id, state, windowMs: 0 });
  const hints = { named: null, ofLink: null, ofKey: null, programs: [program(a), program(b)] };
  it.each([
    ['the named one goes first', { ...hints, named: a, ofLink: b, ofKey: b }, a],
    ['then that of the link', { ...hints, ofLink: a, ofKey: b }, a],
    ['then that of the key', { ...hints, ofKey: b }, b],
    ['then the only one', { ...hints, programs: [program(a)] }, a],
    ['a deleted one does not count as another', { ...hints, programs: [program(a), program(b, 'deleted')] }, a],
    ['of two nobody can say', hints, null],
    ['of none neither', { ...hints, programs: [] }, null],
    ['a link’s program may be not yet known', { ...hints, ofLink: OTHER }, OTHER],
  ])('%s', (_name, given, programId) => expect(chooseProgram(given)).toEqual({ programId }));
  it.each([
    ['a foreign one is unknown', { ...hints, named: OTHER }, 'program_unknown'],
    ['a paused one refuses', { ...hints, ofLink: a, programs: [program(a, 'disabled'), program(b)] }, 'program_paused'],
    ['a deleted one refuses', { ...hints, named: a, programs: [program(a, 'deleted')] }, 'program_paused'],
    ['the only one, paused, refuses', { ...hints, programs: [program(a, 'disabled')] }, 'program_paused'],
  ])('%s', (_name, given, code) => expect(chooseProgram(given)).toMatchObject({ refusal: { code } }));
});

describe('what can be stored', () => {
  it.each<[unknown, string | null]>([
    [{ a: 'ok 😀', b: [1, null, true] }, null],
    [{ a: [{ b: 'x\u0000' }] }, 'a.0.b'],
    [{ a: '\ud83d' }, 'a'],
    [{ m: { '\u0000': 'x' } }, 'a field name in m'],
  ])('%j', (body, where) => expect(unstorableIn(body)).toBe(where));
  it('knows currencies by capital letters alone', () =>
    expect(['EUR', 'eur', 'XAU', '', 1, 'EURO'].map(isCurrency)).toEqual([true, false, false, false, false, false]));
});
