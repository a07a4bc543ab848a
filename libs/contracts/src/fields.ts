import { Transform, type TransformFnParams, Type } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  Validate,
  ValidateNested,
  ValidatorConstraint,
  type ValidationArguments,
  type ValidatorConstraintInterface,
} from 'class-validator';

/**
 * The vocabulary of our schemas. Each decorator declares a field once and gives both its class-validator rules and its
 * JSON Schema, so the published schema cannot say something else than the code that checks.
 */
export type JsonSchema = { [key: string]: unknown };
type Constructor<T = object> = new () => T;

interface Field {
  readonly name: string;
  readonly schema: () => JsonSchema;
}

const fields = new Map<object, Field[]>();
const optional = new Map<object, Set<string>>();
const nested = new Map<object, Map<string, () => Constructor>>();

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** RFC 3339 in UTC with milliseconds, as `Date.toISOString` writes it, in the years 2000 to 2199. */
export const INSTANT = /^2[01]\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
/**
 * Neither NUL, which Postgres cannot store, nor half a surrogate pair, which would come back from Kafka as another key. The one rule
 * that the schemas leave unsaid: subscribers' engines disagree on how to write it (Go and Rust refuse the escapes).
 */
export const WHOLE_TEXT = /^[^\0\ud800-\udfff]*$/u;
const MAP_KEY_MAX = 64;
/** Amounts are safe integers in minor units with room to add a thousand of them. */
export const AMOUNT_MAX_MINOR = 9_000_000_000_000;

export const Uuid = () => field({ type: 'string', format: 'uuid', pattern: UUID.source }, IsString(), Matches(UUID));
/** Lengths are in code points, as JSON Schema counts them. */
export const Text = (max: number, min = 1) => field(textSchema(min, max), IsString(), Validate(TextRule, [min, max]));
export const Pattern = (pattern: RegExp) => field({ type: 'string', pattern: pattern.source }, IsString(), Matches(pattern));
export const Whole = (min: number, max: number) => field({ type: 'integer', minimum: min, maximum: max }, IsInt(), Min(min), Max(max));
export const Minor = (min = 0) => Whole(min, AMOUNT_MAX_MINOR);
export const Flag = () => field({ type: 'boolean' }, IsBoolean());
export const OneOf = (values: readonly (string | number)[]) => field({ enum: values }, IsIn(values as unknown[]));
export const Currency = () => Pattern(/^[A-Z]{3}$/);
export const Instant = () =>
  field({ type: 'string', format: 'date-time', pattern: INSTANT.source }, IsString(), Matches(INSTANT), Validate(RealDate));
export const ClickIdText = () => Pattern(/^[A-Za-z0-9_-]{32}$/);

export const TextList = (maxItems: number, maxLength: number) =>
  field(
    { type: 'array', maxItems, items: textSchema(1, maxLength) },
    IsArray(),
    ArrayMaxSize(maxItems),
    IsString({ each: true }),
    Validate(TextRule, [1, maxLength], { each: true }),
  );

/** A flat map of short keys to strings (sub ids, metadata). */
export const TextMap = (maxKeys: number, maxLength: number) =>
  field(
    { type: 'object', maxProperties: maxKeys, propertyNames: textSchema(1, MAP_KEY_MAX), additionalProperties: textSchema(0, maxLength) },
    IsObject(),
    Transform(asSent, { toClassOnly: true }),
    Validate(TextMapRule, [maxKeys, maxLength]),
  );

export const Nested = (type: () => Constructor) => field(() => schemaOf(type()), IsObject(), ValidateNested(), OfType(type));

export const ListOf = (type: () => Constructor, maxItems: number) =>
  field(
    () => ({ type: 'array', maxItems, items: schemaOf(type()) }),
    IsArray(),
    ArrayMaxSize(maxItems),
    ValidateNested({ each: true }),
    IsObject({ each: true }),
    OfType(type),
  );

const OfType =
  (type: () => Constructor): PropertyDecorator =>
  (target, name) => {
    Type(type)(target, name);
    nested.set(target, (nested.get(target) ?? new Map<string, () => Constructor>()).set(String(name), type));
  };

/** The class of a field that holds objects, or of their list; undefined where it was declared in another vocabulary. */
export const nestedTypeOf = (prototype: object, name: string): (() => Constructor) | undefined =>
  ancestry(prototype)
    .map((each) => nested.get(each)?.get(name))
    .findLast((type) => type !== undefined);

/** May be absent or null; the two mean the same. */
export const Optional = (): PropertyDecorator => (target, name) => {
  IsOptional()(target, name);
  const names = optional.get(target) ?? new Set();
  optional.set(target, names.add(String(name)));
};

/** The JSON Schema (draft 2020-12) of a class declared with these fields, inherited ones included. */
export function schemaOf(type: Constructor): JsonSchema {
  const properties: { [name: string]: JsonSchema } = {};
  const required: string[] = [];
  for (const prototype of ancestry(type.prototype as object)) {
    for (const { name, schema } of fields.get(prototype) ?? []) {
      const isOptional = optional.get(prototype)?.has(name) ?? false;
      properties[name] = isOptional ? { anyOf: [schema(), { type: 'null' }] } : schema();
      if (!isOptional) required.push(name);
    }
  }
  return { type: 'object', properties, required: required.sort() };
}

function ancestry(prototype: object): object[] {
  const chain: object[] = [];
  for (let p: object | null = prototype; p && p !== Object.prototype; p = Object.getPrototypeOf(p) as object | null) chain.unshift(p);
  return chain;
}

function field(schema: JsonSchema | (() => JsonSchema), ...rules: PropertyDecorator[]): PropertyDecorator {
  return (target, name) => {
    for (const rule of rules) rule(target, name);
    const list = fields.get(target) ?? [];
    list.push({ name: String(name), schema: typeof schema === 'function' ? schema : () => schema });
    fields.set(target, list);
    typed(target, String(name), schema);
  };
}

const TYPES: Readonly<Record<string, unknown>> = { string: String, integer: Number, boolean: Boolean };

/** Whoever describes a class by reflection sees `string | null` as an object, since that is all that a compiler leaves of it. */
function typed(target: object, name: string, schema: JsonSchema | (() => JsonSchema)): void {
  const type = typeof schema === 'function' ? undefined : TYPES[String(schema['type'])];
  const reflect = Reflect as { defineMetadata?: (key: string, value: unknown, target: object, name: string) => void };
  if (type) reflect.defineMetadata?.('design:type', type, target, name);
}

@ValidatorConstraint({ name: 'realDate' })
class RealDate implements ValidatorConstraintInterface {
  /** Where the pattern holds, only the day can be one that its month has not. */
  static readonly sure = () => (value: unknown) =>
    typeof value === 'string' && INSTANT.test(value) && Number(value.slice(8, 10)) <= SHORTEST_MONTH ? true : isRealDate(value);
  validate(value: unknown): boolean {
    return isRealDate(value);
  }
  defaultMessage(): string {
    return '$property must be a real instant in UTC with milliseconds, such as 2026-01-31T12:00:00.000Z';
  }
}

const SHORTEST_MONTH = 28;

function isRealDate(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const ms = Date.parse(value);
  // 31 February parses as March on some engines: what comes back must be what was sent.
  return !Number.isNaN(ms) && new Date(ms).toISOString() === value;
}

/** class-transformer copies maps key by key and silently drops keys such as "toString": a map is taken as it came. */
const asSent = ({ obj, key }: TransformFnParams): unknown => (obj as Record<string, unknown>)[key];

const textSchema = (minLength: number, maxLength: number): JsonSchema => ({ type: 'string', minLength, maxLength });

function isText(value: unknown, min: number, max: number): boolean {
  // A code point is one or two units: most texts need no counting, and a huge one gets none.
  if (typeof value !== 'string' || value.length < min || value.length > 2 * max) return false;
  if (isPlain(value)) return value.length <= max;
  const length = [...value].length;
  return length >= min && length <= max && WHOLE_TEXT.test(value);
}

function isTextMap(value: unknown, maxKeys: number, maxLength: number): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return (
    keys.length <= maxKeys &&
    keys.every((key) => isText(key, 1, MAP_KEY_MAX) && isText((value as Record<string, unknown>)[key], 0, maxLength))
  );
}

/** Without NUL and halves of pairs, each unit a code point: most texts, told without taking them apart. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0 || unit >= 0xd800) return false;
  }
  return true;
}

/** Not class-validator's own MinLength and MaxLength: they leave out variation selectors, so 64 could mean 128. */
@ValidatorConstraint({ name: 'text' })
class TextRule implements ValidatorConstraintInterface {
  static readonly sure = (min: number, max: number) => (value: unknown) => isText(value, min, max);
  validate(value: unknown, args?: ValidationArguments): boolean {
    const [min, max] = args?.constraints as [number, number];
    return isText(value, min, max);
  }
  defaultMessage(args?: ValidationArguments): string {
    const [min, max] = args?.constraints as [number, number];
    return `$property must be text of ${min} to ${max} characters, without NUL and without halves of surrogate pairs`;
  }
}

@ValidatorConstraint({ name: 'textMap' })
class TextMapRule implements ValidatorConstraintInterface {
  static readonly sure = (maxKeys: number, maxLength: number) => (value: unknown) => isTextMap(value, maxKeys, maxLength);
  validate(value: unknown, args?: ValidationArguments): boolean {
    const [maxKeys, maxLength] = args?.constraints as [number, number];
    return isTextMap(value, maxKeys, maxLength);
  }
  defaultMessage(): string {
    return '$property must map short keys to strings (at most $constraint1 keys, $constraint2 characters each)';
  }
}
