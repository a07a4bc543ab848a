import * as fc from 'fast-check';
import { type ClickId, mintClickId, parseClickIdKeys, peekClickId, verifyClickId } from './index';

const TENANT = '11111111-1111-4111-8111-111111111111';
const OTHER_TENANT = '11111111-1111-4111-8111-111111111112';
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const { keys } = parseClickIdKeys(`1:${'a1'.repeat(32)},0:${'b2'.repeat(32)}`);
const AN_ID: ClickId = { keyId: 1, linkNumber: 1, occurredAtMs: Date.parse('2026-01-31T12:00:00.000Z'), nonce: 1 };

const clickId = fc.record({
  keyId: fc.constantFrom(0, 1),
  linkNumber: fc.oneof(fc.integer({ min: 1, max: 2 ** 40 - 1 }), fc.constantFrom(1, 2 ** 40 - 1)),
  occurredAtMs: fc.oneof(fc.integer({ min: 0, max: 2 ** 48 - 1 }), fc.constantFrom(0, 2 ** 48 - 1)),
  nonce: fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.constantFrom(0, 2 ** 32 - 1)),
});

describe('a click id', () => {
  test('is 32 URL-safe characters and says what it was made from, verified or merely read', () => {
    fc.assert(
      fc.property(clickId, fc.uuid(), (id, tenantId) => {
        const text = mintClickId(keys, tenantId, id);
        expect(text).toMatch(/^[A-Za-z0-9_-]{32}$/);
        expect(verifyClickId(keys, tenantId, text)).toEqual({ kind: 'valid', id });
        expect(peekClickId(text)).toEqual(id);
      }),
    );
  });

  // The expected id was computed with another language's HMAC.
  test('keeps its bytes for ever: ids that are out there must stay readable', () => {
    const text = mintClickId(keys, TENANT, AN_ID);
    expect(Buffer.from(text, 'base64url').subarray(0, 16).toString('hex')).toBe('110000000001019c13ec9e0000000001');
    expect(text).toBe('EQAAAAABAZwT7J4AAAAAAfnTuzOMhnHN');
  });

  test('is another one for another link, time or nonce', () => {
    const ids = [AN_ID, { ...AN_ID, linkNumber: 2 }, { ...AN_ID, occurredAtMs: AN_ID.occurredAtMs + 1 }, { ...AN_ID, nonce: 2 }];
    expect(new Set(ids.map((id) => mintClickId(keys, TENANT, id))).size).toBe(4);
  });

  test('a nonce that counts past 32 bits begins again', () => {
    expect(peekClickId(mintClickId(keys, TENANT, { ...AN_ID, nonce: 2 ** 32 }))?.nonce).toBe(0);
  });
});

describe('a click id that was not issued reads as forged', () => {
  const text = mintClickId(keys, TENANT, AN_ID);

  test('with any one of its 32 characters altered to any other', () => {
    const believed: string[] = [];
    for (let at = 0; at < 32; at++) {
      for (const character of ALPHABET) {
        const altered = text.slice(0, at) + character + text.slice(at + 1);
        if (altered !== text && verifyClickId(keys, TENANT, altered).kind === 'valid') believed.push(altered);
      }
    }
    expect(believed).toEqual([]);
  });

  test('for another tenant, also when the two ids differ in one character', () => {
    expect(verifyClickId(keys, OTHER_TENANT, text)).toEqual({ kind: 'forged', why: 'tag' });
  });

  test.each([
    '',
    'x',
    text.slice(1),
    `${text}A`,
    `${text}\n`,
    ` ${text.slice(1)}`,
    text.replace(/.$/, '='),
    text.replace(/.$/, '+'),
    'é'.repeat(32),
    '\u0000'.repeat(32),
  ])('when it has not the shape of one: %j', (shapeless) => {
    expect(verifyClickId(keys, TENANT, shapeless)).toEqual({ kind: 'forged', why: 'shape' });
    expect(peekClickId(shapeless)).toBeNull();
  });

  test('in a format of the future, or by a key that we do not have', () => {
    const bytes = Buffer.from(text, 'base64url');
    bytes[0] = 0x21;
    expect(verifyClickId(keys, TENANT, bytes.toString('base64url'))).toEqual({ kind: 'forged', why: 'format' });
    bytes[0] = 0x12;
    expect(verifyClickId(keys, TENANT, bytes.toString('base64url'))).toEqual({ kind: 'forged', why: 'unknown_key' });
  });

  test('whatever the text, nothing is thrown', () => {
    const shaped = fc.string({ unit: fc.constantFrom(...ALPHABET), minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), shaped),
        fc.string(),
        (anything, tenantId) => verifyClickId(keys, tenantId, anything).kind === 'forged',
      ),
      { numRuns: 1000 },
    );
  });
});

describe('rotation of keys', () => {
  const before = parseClickIdKeys(`3:${'0c'.repeat(32)}`);
  const after = parseClickIdKeys(`4:${'0d'.repeat(32)},3:${'0c'.repeat(32)}`);
  const later = parseClickIdKeys(`4:${'0d'.repeat(32)}`);
  const old = mintClickId(before.keys, TENANT, { ...AN_ID, keyId: before.signingKeyId });

  test('an id of a retired key stays good while the key is listed, and is forged after', () => {
    expect(verifyClickId(after.keys, TENANT, old).kind).toBe('valid');
    expect(verifyClickId(later.keys, TENANT, old)).toEqual({ kind: 'forged', why: 'unknown_key' });
  });

  test('a key id that was given a new secret does not believe the old ids', () => {
    expect(verifyClickId(parseClickIdKeys(`3:${'0e'.repeat(32)}`).keys, TENANT, old)).toEqual({ kind: 'forged', why: 'tag' });
  });

  test('the first key signs', () => {
    expect([before.signingKeyId, after.signingKeyId]).toEqual([3, 4]);
    expect([...after.keys].map(([keyId, key]) => [keyId, Buffer.from(key).toString('hex')])).toEqual([
      [4, '0d'.repeat(32)],
      [3, '0c'.repeat(32)],
    ]);
  });

  test.each([
    ['', 'must look like'],
    ['1', 'must look like'],
    [`1:${'a1'.repeat(31)}`, 'must look like'],
    [`1:${'a1'.repeat(33)}`, 'must look like'],
    [`1:${'zz'.repeat(32)}`, 'must look like'],
    [`16:${'a1'.repeat(32)}`, 'key ids 0 to 15'],
    [`-1:${'a1'.repeat(32)}`, 'must look like'],
    [`1:${'a1'.repeat(32)},`, 'must look like'],
    [`1:${'a1'.repeat(32)}, 01:${'b2'.repeat(32)}`, 'names key 1 twice'],
  ])('keys written as %j are refused with what is wrong, and without the secret', (text, problem) => {
    expect(() => parseClickIdKeys(text)).toThrow(problem);
    expect(() => parseClickIdKeys(text)).not.toThrow(/a1a1/);
  });
});

describe('what cannot be put into an id is refused, not cut short', () => {
  test.each<[Partial<ClickId>, string]>([
    [{ linkNumber: 0 }, 'link number 0 is outside 1 to 2^40-1'],
    [{ linkNumber: 2 ** 40 }, 'is outside 1 to 2^40-1'],
    [{ linkNumber: 1.5 }, 'link number 1.5 is outside'],
    [{ linkNumber: NaN }, 'link number NaN is outside'],
    [{ occurredAtMs: -1 }, '-1 ms is not a time'],
    [{ occurredAtMs: 2 ** 48 }, 'is not a time'],
    [{ occurredAtMs: 0.5 }, '0.5 ms is not a time'],
    [{ occurredAtMs: NaN }, 'NaN ms is not a time'],
    [{ keyId: 2 }, 'no key 2 to sign click ids with'],
  ])('%j', (change, problem) => {
    expect(() => mintClickId(keys, TENANT, { ...AN_ID, ...change })).toThrow(problem);
  });

  test('a key id that does not fit into four bits', () => {
    const wide = new Map([[17, Buffer.alloc(32, 1)]]);
    expect(() => mintClickId(wide, TENANT, { ...AN_ID, keyId: 17 })).toThrow('key id 17 is outside 0 to 15');
  });
});
