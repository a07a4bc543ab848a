import fc from 'fast-check';

// Values for specs that hold an edge against what nobody expects. Bodies that are nearly right find more than bodies that are all wrong: each
// field is mostly what it should be.

/** Texts that mean something to somebody: to a spreadsheet, to a shell, to JavaScript, to a database, to a URL. */
export const strangeWord: fc.Arbitrary<string> = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'garden',
    'DE',
    'mobile',
    '__proto__',
    'constructor',
    '=1+1',
    '\u0000',
    '%00',
    '\ud800',
    '\udfff\ud800',
    '\u202e',
    ' ',
    '',
  ),
);

export const strangeNumber: fc.Arbitrary<number> = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -0, 1e12, 1e308, -1, 0.1, 5e-324, 2 ** 53, 2 ** 53 - 1, -(2 ** 63)),
);

export const strangeInstant: fc.Arbitrary<string> = fc.constantFrom(
  '2026-01-01T00:00:00.000Z',
  '2199-12-31T23:59:59.999Z',
  '2026-02-31T00:00:00.000Z',
  '0000-00-00T00:00:00Z',
  '+275760-09-13T00:00:00.001Z',
  '2026-01-01T00:00:00+14:00',
  '',
);

/** Mostly the field; else null, or any JSON. */
export const odd = (field: fc.Arbitrary<unknown>, usual = 8): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: usual, arbitrary: field }, { weight: 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.jsonValue() });

/** An object with some of the fields, each mostly what it should be. */
export const nearly = (
  fields: Record<string, fc.Arbitrary<unknown>>,
  { required = [], usual = 8 }: { readonly required?: readonly string[]; readonly usual?: number } = {},
): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, odd(field, usual)])), { requiredKeys: [...required] });

export const someOf = (item: fc.Arbitrary<unknown>): fc.Arbitrary<unknown[]> => fc.array(odd(item), { maxLength: 4 });

/** Of OpenAPI 3.0, what a description of bodies uses. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly allOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly maxLength?: number;
}

export interface Described {
  /** By name, as under `components.schemas`. */
  readonly schemas: Readonly<Record<string, Schema>>;
  /** What a field of this name mostly holds, wherever it stands. */
  readonly known: Readonly<Record<string, fc.Arbitrary<unknown>>>;
}

/** Fields are wrong one time in so many, so that whole bodies are often right. */
const USUAL = 40;

/** Values that a description allows, nearly. */
export function describedBy(schema: Schema, described: Described, name = ''): fc.Arbitrary<unknown> {
  const known = described.known[name];
  if (known) return known;
  const deeper = (inner: Schema, of = ''): fc.Arbitrary<unknown> => describedBy(inner, described, of);
  if (schema.$ref) return deeper(described.schemas[schema.$ref.split('/').at(-1) as string] ?? {});
  const either = schema.oneOf ?? schema.allOf;
  if (either && either.length > 0) return fc.oneof(...either.map((one) => deeper(one)));
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.properties) {
    const fields = Object.entries(schema.properties).map(([field, inner]) => [field, deeper(inner, field)] as const);
    return nearly(Object.fromEntries(fields), { required: schema.required ?? [], usual: USUAL });
  }
  if (schema.type === 'object')
    return fc.dictionary(
      fc.oneof({ weight: USUAL, arbitrary: fc.string({ minLength: 1, maxLength: 9 }) }, strangeWord),
      odd(typeof schema.additionalProperties === 'object' ? deeper(schema.additionalProperties) : strangeWord, USUAL),
      {
        maxKeys: 3,
      },
    );
  if (schema.type === 'array') return fc.array(odd(deeper(schema.items ?? {}), USUAL), { maxLength: 4 });
  if (schema.type === 'integer' || schema.type === 'number')
    return fc.oneof({ weight: USUAL, arbitrary: fc.integer({ min: 1, max: 1_000 }) }, strangeNumber);
  if (schema.type === 'boolean') return fc.boolean();
  if (schema.format === 'date-time') return fc.oneof({ weight: USUAL, arbitrary: fc.constant(new Date().toISOString()) }, strangeInstant);
  if (schema.format === 'uuid') return fc.oneof({ weight: USUAL, arbitrary: fc.uuid() }, strangeWord);
  if (schema.type === 'string')
    return fc.oneof({ weight: USUAL, arbitrary: fc.string({ maxLength: Math.min(schema.maxLength ?? 20, 20) }) }, strangeWord);
  return fc.jsonValue();
}

/** Values of the shape of an example, nearly. */
export function like(example: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(example))
    return fc.oneof({ weight: USUAL, arbitrary: fc.tuple(...example.map((item) => odd(like(item), USUAL))) }, someOf(strangeWord));
  if (typeof example === 'object' && example !== null) {
    const fields = Object.entries(example).map(([name, value]) => [name, like(value)] as const);
    return nearly(Object.fromEntries(fields), { required: Object.keys(example), usual: USUAL });
  }
  const other = typeof example === 'number' ? strangeNumber : typeof example === 'string' ? strangeWord : fc.jsonValue();
  return fc.oneof({ weight: 8, arbitrary: fc.constant(example) }, { weight: 1, arbitrary: other });
}
