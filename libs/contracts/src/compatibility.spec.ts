import { allContracts, incompatibilities, type JsonSchema } from './index';

const object = (properties: Record<string, JsonSchema>): JsonSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !properties[name]?.['anyOf']),
});
const text = { type: 'string', maxLength: 10 };
const optional = (schema: JsonSchema): JsonSchema => ({ anyOf: [schema, { type: 'null' }] });
const list = (items: JsonSchema): JsonSchema => ({ type: 'array', maxItems: 2, items });
const BEFORE = object({
  name: text,
  kind: { enum: ['a', 'b'] },
  note: optional(text),
  part: object({ id: text }),
  parts: list(object({ id: text })),
  map: { type: 'object', additionalProperties: text },
});

/** BEFORE with some properties replaced; undefined takes one away. */
function after(change: Record<string, JsonSchema | undefined>): JsonSchema {
  const all = { ...(BEFORE['properties'] as Record<string, JsonSchema>), ...change };
  return object(Object.fromEntries(Object.entries(all).filter((entry): entry is [string, JsonSchema] => entry[1] !== undefined)));
}

describe('each kind of break is named', () => {
  test.each<[string, JsonSchema, string[]]>([
    ['a field is taken away', after({ name: undefined }), ['name is gone']],
    ['an optional field is taken away', after({ note: undefined }), ['note is gone']],
    ['a required field is added', after({ more: text }), ['more is new and required']],
    ['a required field may be absent', after({ name: optional(text) }), ['name may now be absent']],
    ['an optional field must be there', after({ note: text }), ['note must now be there']],
    ['another type', after({ name: { type: 'integer', maxLength: 10 } }), ['name: type was "string" and is "integer"']],
    ['a tighter bound', after({ name: { type: 'string', maxLength: 9 } }), ['name: maxLength was 10 and is 9']],
    ['a wider bound', after({ name: { type: 'string', maxLength: 11 } }), ['name: maxLength was 10 and is 11']],
    ['a new rule', after({ name: { ...text, pattern: '^a' } }), ['name: pattern was undefined and is "^a"']],
    ['a value more', after({ kind: { enum: ['a', 'b', 'c'] } }), ['kind: enum was ["a","b"] and is ["a","b","c"]']],
    ['a value less', after({ kind: { enum: ['a'] } }), ['kind: enum was ["a","b"] and is ["a"]']],
    ['inside an optional field', after({ note: optional({ type: 'string' }) }), ['note: maxLength was 10 and is undefined']],
    ['inside a part', after({ part: object({}) }), ['part.id is gone']],
    ['new and required inside a part', after({ part: object({ id: text, more: text }) }), ['part.more is new and required']],
    [
      'inside a list',
      after({ parts: list(object({ id: { type: 'integer' } })) }),
      ['parts[].id: type was "string" and is "integer"', 'parts[].id: maxLength was 10 and is undefined'],
    ],
    ['a longer list', after({ parts: { ...list(object({ id: text })), maxItems: 3 } }), ['parts: maxItems was 2 and is 3']],
    [
      'a list of anything',
      after({ parts: { type: 'array', maxItems: 2 } }),
      ['parts: items was {"type":"object","properties":{"id":{"type":"string","maxLength":10}},"required":["id"]} and is undefined'],
    ],
    [
      'values of a map',
      after({ map: { type: 'object', additionalProperties: { type: 'integer' } } }),
      ['map: additionalProperties was {"type":"string","maxLength":10} and is {"type":"integer"}'],
    ],
    ['several at once', after({ name: undefined, more: text }), ['name is gone', 'more is new and required']],
    [
      'no object any more',
      { type: 'array' },
      [
        'the event: type was "object" and is "array"',
        'name is gone',
        'kind is gone',
        'note is gone',
        'part is gone',
        'parts is gone',
        'map is gone',
      ],
    ],
  ])('%s', (_name, now, breaks) => {
    expect(incompatibilities(BEFORE, now)).toEqual(breaks);
  });
});

describe('what breaks nobody passes', () => {
  test.each<[string, JsonSchema]>([
    ['nothing', after({})],
    ['an optional field is added', after({ more: optional(text) })],
    ['an optional part with required fields is added', after({ more: optional(object({ id: text })) })],
    ['an optional field is added inside a part', after({ part: object({ id: text, more: optional(text) }) })],
    ['an optional field is added inside a list', after({ parts: list(object({ id: text, more: optional(text) })) })],
  ])('%s', (_name, now) => {
    expect(incompatibilities(BEFORE, now)).toEqual([]);
  });

  test.each(allContracts().map((contract) => [contract.ceType, contract] as const))(
    '%s with itself, also as it is written to a file',
    (_name, contract) => {
      expect(incompatibilities(JSON.parse(JSON.stringify(contract.jsonSchema())), contract.jsonSchema())).toEqual([]);
    },
  );
});
