import { nameId } from '@baton/contracts';
import fc from 'fast-check';
import { fingerprint } from './fingerprint';

describe('a fingerprint', () => {
  it('stays what it was: repeats of what was stored are told by it', () => {
    const body = { b: 1, a: { 'x y': '1', x: 'ü', 'x"': null, '': 'e' }, l: [1, null, { z: {}, y: 2 }], 'a b': true };
    expect(fingerprint('conversion', body)).toBe('02cd61f5-3ad1-8af8-96c6-db303ec1c77b');
  });

  it('is of JSON with its fields sorted as they are written, and without those that are absent', () => {
    const plain = (value: unknown): string | undefined => {
      if (value === null || value === undefined) return undefined;
      if (Array.isArray(value)) return `[${value.map((item) => plain(item) ?? 'null').join(',')}]`;
      if (typeof value !== 'object') return JSON.stringify(value);
      const fields = Object.entries(value).map(([key, child]) => [`${JSON.stringify(key)}:`, plain(child)] as const);
      const there = fields.flatMap(([key, text]) => (text === undefined ? [] : [key + text])).sort();
      return there.length === 0 ? undefined : `{${there.join(',')}}`;
    };
    const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a', 'a!', 'a b', 'a"', 'a_', 'aB', 'b', 'é', '\\', '10', '9', ''));
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.boolean(),
      fc.constantFrom(null, undefined, -0, '"', '\\', '\u007f', '~ !#'),
    );
    const { body } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 3 }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('body')),
      body: fc.dictionary(key, tie('value'), { maxKeys: 6, noNullPrototype: true }),
    }));
    fc.assert(
      fc.property(body, (one) => {
        expect(fingerprint('any', one as object)).toBe(nameId('body', 'any', plain(one) ?? '{}'));
      }),
      { numRuns: 2_000 },
    );
  });
});
