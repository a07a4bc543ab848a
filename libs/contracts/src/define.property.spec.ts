import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import * as fc from 'fast-check';
import {
  allContracts,
  emit,
  encode,
  type EventContract,
  InvalidEvent,
  type JsonSchema,
  parse,
  type RawMessage,
  type TenantData,
  type Topic,
  TOPICS,
  VALUE_MAX_BYTES,
  WHOLE_TEXT,
} from './index';

const ajv = addFormats.default(new Ajv2020({ strict: true, allErrors: false }));
const contracts = allContracts().map((contract): [string, EventContract, ValidateFunction] => [
  contract.ceType,
  contract,
  ajv.compile(withWholeText(contract.jsonSchema())),
]);
const FORBIDDEN_KEY = /"(__proto__|constructor|prototype)":/;

describe('the checking code and the published schema are one', () => {
  test.each(contracts)('%s: data made from the schema is read, and comes back as it was sent', (_name, contract, accepts) => {
    fc.assert(
      fc.property(dataOf(contract), (data) => {
        expect(accepts(data) || accepts.errors).toBe(true);
        const received = parse(contract.topic, overTheWire(contract, data));
        expect(JSON.parse(JSON.stringify(received.data))).toEqual(data);
        // Encoding what was read gives the same key, id and time: a replay is recognisable.
        const again = encode(emit(contract, received.data));
        expect({ ...again, value: JSON.parse(again.value) }).toEqual({ ...encode(emit(contract, data)), value: data });
      }),
      { numRuns: 20 },
    );
  });

  test.each(contracts)('%s: altered data is read exactly where the schema accepts it', (_name, contract, accepts) => {
    fc.assert(
      fc.property(fc.oneof(fc.constant(contract.sample as object), dataOf(contract)).chain(altered), (value) => {
        const refusal = refusalOf(contract, value, accepts(value));
        const text = JSON.stringify(value);
        // Altering can make a value longer than any message may be: that is seen before it is read.
        const isTooLarge = Buffer.byteLength(text) > VALUE_MAX_BYTES;
        const expected = isTooLarge ? 'too_large' : FORBIDDEN_KEY.test(text) ? 'forbidden_key' : accepts(value) ? null : 'schema';
        expect({ refusal, value }).toEqual({ refusal: expected, value });
      }),
      { numRuns: 150 },
    );
  });
});

describe('whatever the bytes, parse throws InvalidEvent and nothing else', () => {
  const topic = fc.constantFrom<Topic>(...Object.values(TOPICS));
  const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));
  const headerValue = fc.oneof(
    bytes,
    fc.string(),
    fc.constantFrom(null, undefined, [], [null]),
    fc.array(bytes),
  ) as fc.Arbitrary<undefined>;
  const ceType = fc.oneof(fc.constantFrom(...contracts.map(([name]) => name)), headerValue) as fc.Arbitrary<string>;
  const headers = fc.oneof(
    fc.constant(undefined),
    fc.record({ ce_type: ceType, ce_tenant: headerValue, ce_id: headerValue, traceparent: headerValue }, { requiredKeys: [] }),
  );
  const json = fc.oneof(
    fc.json(),
    fc.jsonValue().map((v) => JSON.stringify(v)),
    fc.json().map((text) => text.slice(1)),
  );
  const value = fc.oneof(
    fc.constantFrom(null, undefined),
    bytes,
    json.map((text) => Buffer.from(text)),
  );
  const key = fc.oneof(fc.constantFrom(null, undefined), fc.string(), bytes);

  test('for arbitrary keys, headers and values', () => {
    fc.assert(fc.property(topic, fc.record({ key, headers, value }), onlyInvalidEvent), { numRuns: 3000 });
  });

  test('for the bytes of a sample with some of them changed', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...contracts), changes, ([, contract], edits) => {
        const message = overTheWire(contract, contract.sample);
        const changed = Buffer.from(message.value as Buffer);
        for (const [at, byte] of edits) changed[at % changed.length] = byte;
        onlyInvalidEvent(contract.topic, { ...message, value: changed });
      }),
      { numRuns: 3000 },
    );
  });
});

/** The published schema and the one rule that it leaves unsaid (see WHOLE_TEXT). */
function withWholeText(schema: JsonSchema): JsonSchema {
  const inside = Object.entries(schema).map(([name, child]) => [
    name,
    typeof child === 'object' && child !== null && !Array.isArray(child)
      ? withWholeText(child as JsonSchema)
      : Array.isArray(child) && name === 'anyOf'
        ? child.map(withWholeText)
        : child,
  ]);
  return { ...Object.fromEntries(inside), ...(schema['maxLength'] === undefined ? {} : { pattern: WHOLE_TEXT.source }) } as JsonSchema;
}

function onlyInvalidEvent(topic: Topic, message: RawMessage): void {
  try {
    parse(topic, message);
  } catch (error) {
    if (!(error instanceof InvalidEvent)) throw error;
  }
}

/** Why the data is refused; null when it is read. Data that no schema accepts cannot be asked for its key. */
function refusalOf(contract: EventContract, value: unknown, accepted: boolean): string | null {
  try {
    const envelope = encode(emit(contract, accepted ? (value as TenantData) : contract.sample));
    parse(contract.topic, { ...envelope, value: Buffer.from(JSON.stringify(value)) });
    return null;
  } catch (error) {
    return error instanceof InvalidEvent ? error.reason : String(error);
  }
}

/** As Kafka carries it: a key that is not whole text would come back as another one. */
function overTheWire(contract: EventContract, data: TenantData): RawMessage {
  const { key, value, headers } = encode(emit(contract, data));
  const bytes = Object.fromEntries(Object.entries(headers).map(([name, text]) => [name, Buffer.from(text)]));
  return { key: Buffer.from(key), value: Buffer.from(value), headers: bytes };
}

/** Data with one place deleted, replaced, bent or added. */
function altered(data: object): fc.Arbitrary<object> {
  const paths = pathsOf(data);
  const change = fc.oneof(
    fc.record({ kind: fc.constant('delete' as const) }),
    fc.record({ kind: fc.constant('put' as const), value: fc.oneof(fc.jsonValue(), fc.constantFrom(...ODD)) }),
    fc.record({
      kind: fc.constant('add' as const),
      name: fc.oneof(fc.string(), fc.constantFrom('toString', 'hasOwnProperty', 'then', 'constructor')),
      value: fc.jsonValue(),
    }),
    fc.record({
      kind: fc.constant('lengthen' as const),
      with: fc.constantFrom('a', '😀', 'e\uFE0F', '\u0000', '\uD800', '\n'),
      times: fc.constantFrom(1, 63, 64, 65, 255, 256),
    }),
    fc.record({ kind: fc.constant('nudge' as const), by: fc.constantFrom(-1, 1, 0.5, 1e6, 1e13) }),
  );
  return fc.tuple(fc.constantFrom(...paths), change).map(([path, c]) => {
    const copy = structuredClone(data) as Record<string, unknown>;
    const parent = path.slice(0, -1).reduce<Record<string, unknown>>((at, name) => at[name] as Record<string, unknown>, copy);
    const name = path[path.length - 1] as string;
    const was = parent[name];
    if (c.kind === 'delete') delete parent[name];
    else if (c.kind === 'put') parent[name] = c.value;
    else if (c.kind === 'add') addTo(typeof was === 'object' && was !== null ? was : parent, c.name, c.value);
    else if (c.kind === 'lengthen')
      parent[name] = Array.isArray(was)
        ? Array.from({ length: c.times }, () => was[0] ?? c.with)
        : `${typeof was === 'string' ? was : ''}${c.with.repeat(c.times)}`;
    else parent[name] = typeof was === 'number' ? was + c.by : c.by;
    return JSON.parse(JSON.stringify(copy)) as object;
  });
}

/** JSON keeps no names of an array, and its length cannot be defined anew: to an array the value is appended. */
function addTo(target: object, name: string, value: unknown): void {
  if (Array.isArray(target)) target.push(value);
  else Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true });
}

// prettier-ignore
const ODD: readonly fc.JsonValue[] = [
  null, true, 0, -1, 1.5, 2 ** 53, 1e21, '', ' ', [], {}, [[]], [{}], [null], [['a']], [''], ['a'.repeat(65)], { a: 1 }, { '': 'a' }, { a: '' },
  { ['k'.repeat(65)]: 'a' }, { ['😀'.repeat(40)]: 'a' }, { a: '😀'.repeat(200) }, { a: 'e\uFE0F'.repeat(200) }, { 'a\u0000': 'a' }, { a: '\uDC00' },
  '2026-02-31T00:00:00.000Z', '2024-02-29T00:00:00.000Z', '2026-02-29T00:00:00.000Z', '2026-01-31T12:00:60.000Z', '2026-01-31T12:00:00Z',
  'AAAAAAAA-1111-4111-8111-111111111111', '11111111-1111-4111-8111-111111111111\n', 'EUR\n', 'eur', '😀'.repeat(33), '😀'.repeat(128), '\uFE0F'.repeat(65),
];

function pathsOf(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([name, child]) => pathsOf(child, [...path, name]));
  return path.length > 0 ? [path, ...below] : below;
}

const dataOf = (contract: EventContract): fc.Arbitrary<TenantData> => valueOf(contract.jsonSchema()) as fc.Arbitrary<TenantData>;

/** Values that a schema of ours accepts; a keyword that it does not know would show as data that is refused. */
function valueOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema['anyOf']) return fc.oneof(...(schema['anyOf'] as JsonSchema[]).map(valueOf));
  if (schema['enum']) return fc.constantFrom(...(schema['enum'] as unknown[]));
  switch (schema['type']) {
    case 'null':
      return fc.constant(null);
    case 'boolean':
      return fc.boolean();
    case 'integer':
      return fc.integer({ min: Number(schema['minimum']), max: Number(schema['maximum']) });
    case 'string':
      return textOf(schema);
    case 'array':
      return fc.array(valueOf(schema['items'] as JsonSchema), { maxLength: Math.min(4, Number(schema['maxItems'])) });
    default:
      return schema['properties']
        ? recordOf(schema)
        : fc.dictionary(lengthOf(1, 64), lengthOf(0, Number((schema['additionalProperties'] as JsonSchema)['maxLength'])), {
            maxKeys: Math.min(4, Number(schema['maxProperties'])),
            noNullPrototype: true,
          });
  }
}

function recordOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const properties = Object.entries(schema['properties'] as Record<string, JsonSchema>).map(
    ([name, child]) => [name, valueOf(child)] as const,
  );
  return fc.record(Object.fromEntries(properties), { requiredKeys: schema['required'] as string[], noNullPrototype: true });
}

function textOf(schema: JsonSchema): fc.Arbitrary<string> {
  if (schema['format'] === 'date-time')
    return fc.date({ min: new Date('2000-01-01'), max: new Date('2199-12-31'), noInvalidDate: true }).map((date) => date.toISOString());
  if (schema['maxLength'] !== undefined) return lengthOf(Number(schema['minLength'] ?? 0), Number(schema['maxLength']));
  return fc.stringMatching(new RegExp(schema['pattern'] as string));
}

/** Lengths count code points, as JSON Schema does. */
const lengthOf = (min: number, max: number): fc.Arbitrary<string> =>
  fc
    .oneof(
      { weight: 5, arbitrary: fc.string({ unit: 'binary', minLength: min, maxLength: Math.min(max, 40) }) },
      { weight: 1, arbitrary: fc.constantFrom('😀'.repeat(max), 'e\uFE0F'.repeat(Math.floor(max / 2)), 'x'.repeat(max)) },
    )
    .map((text) => text.replaceAll('\u0000', '0'))
    .filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text));
