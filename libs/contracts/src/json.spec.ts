import * as fc from 'fast-check';
import { DEPTH_MAX, depthOf, InvalidEvent, parseJsonObject, refuseForbiddenKeys, VALUE_MAX_BYTES } from './index';

const bytes = (text: string): Buffer => Buffer.from(text);
const reasonOf = (value: Buffer | null): string => {
  try {
    parseJsonObject(value);
    return 'read';
  } catch (error) {
    return error instanceof InvalidEvent ? error.reason : String(error);
  }
};

describe('depth is measured on the bytes', () => {
  test('as deep as the value is nested, wherever brackets stand in texts', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        expect(depthOf(bytes(JSON.stringify(value)))).toBe(nesting(value));
        expect(depthOf(bytes(JSON.stringify(value, null, 1)))).toBe(nesting(value));
      }),
      { numRuns: 1000 },
    );
  });

  test.each([
    ['{"a":"[[[["}', 1],
    ['{"a":"\\"[[[["}', 1],
    ['{"a":"\\\\"}', 1],
    ['{"a":"\\\\","b":[[]]}', 3],
    ['{"[[[":1}', 1],
    ['{"a":"é😀","b":[]}', 2],
    ['1', 0],
  ])('%s', (text, depth) => {
    expect(depthOf(bytes(text))).toBe(depth);
  });

  test('exactly the limit is read, one more is not', () => {
    const nested = (levels: number): Buffer => bytes('{"a":'.repeat(levels) + '1' + '}'.repeat(levels));
    expect(reasonOf(nested(DEPTH_MAX))).toBe('read');
    expect(reasonOf(nested(DEPTH_MAX + 1))).toBe('too_deep');
    expect(reasonOf(nested(5000))).toBe('too_deep');
  });
});

describe('size', () => {
  const ofSize = (size: number): Buffer => bytes(`{"a":"${'x'.repeat(size - 8)}"}`);
  test('exactly the limit is read, one byte more is not', () => {
    expect(reasonOf(ofSize(VALUE_MAX_BYTES))).toBe('read');
    expect(reasonOf(ofSize(VALUE_MAX_BYTES + 1))).toBe('too_large');
  });
  test('a megabyte is refused', () => expect(reasonOf(ofSize(1024 * 1024))).toBe('too_large'));
});

describe('keys that reach for prototypes', () => {
  test.each([
    '{"__proto__":1}',
    '{"a":[[{"constructor":1}]]}',
    '{"a":{"prototype":null}}',
    '{"\\u005f_proto__":1}',
    '{"a":1,"a":{"__proto__":{"x":1}}}',
  ])('%s is refused', (text) => {
    expect(reasonOf(bytes(text))).toBe('forbidden_key');
  });

  test('the words may stand in values', () => {
    expect(reasonOf(bytes('{"a":"__proto__","b":["constructor"]}'))).toBe('read');
    expect(() => refuseForbiddenKeys('"constructor"', 'constructor')).not.toThrow();
  });
});

test.each([
  [null, 'null_value'],
  [bytes(''), 'empty'],
  [bytes('null'), 'not_an_object'],
  [bytes('"a"'), 'not_an_object'],
  [bytes('[{}]'), 'not_an_object'],
  [bytes('{} {}'), 'not_json'],
  [bytes(']]]]{}'), 'not_json'],
  [bytes('\uFEFF{}'), 'not_json'],
  [bytes('{"a":NaN}'), 'not_json'],
  [bytes(' {"a":1}\n'), 'read'],
])('%s is %s', (value, reason) => {
  expect(reasonOf(value)).toBe(reason);
});

function nesting(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(nesting));
}
