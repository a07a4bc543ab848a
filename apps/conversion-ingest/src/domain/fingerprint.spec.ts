import { fingerprint } from './fingerprint';

describe('a fingerprint', () => {
  it('stays what it was: repeats of what was stored are told by it', () => {
    const body = { b: 1, a: { 'x y': '1', x: 'ü', 'x"': null, '': 'e' }, l: [1, null, { z: {}, y: 2 }], 'a b': true };
    expect(fingerprint('conversion', body)).toBe('02cd61f5-3ad1-8af8-96c6-db303ec1c77b');
  });
});
