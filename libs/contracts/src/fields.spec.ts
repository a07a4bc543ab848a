import 'reflect-metadata';
import { Ajv2020 } from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import {
  allContracts,
  Flag,
  Instant,
  ListOf,
  Minor,
  Nested,
  OneOf,
  Optional,
  schemaOf,
  Text,
  TextList,
  TextMap,
  Uuid,
  Whole,
  AMOUNT_MAX_MINOR,
} from './index';

class Part {
  @Text(3) name!: string;
}
class Base {
  @Uuid() id!: string;
}
class Everything extends Base {
  @Instant() at!: string;
  @Minor() amountMinor!: number;
  @Whole(1, 3) count!: number;
  @Flag() on!: boolean;
  @OneOf(['a', 1]) choice!: 'a' | 1;
  @TextList(2, 3) list!: string[];
  @TextMap(2, 3) map!: Record<string, string>;
  @Nested(() => Part) part!: Part;
  @ListOf(() => Part, 2) parts!: Part[];
  @Optional() @Text(3) note?: string | null;
}

const GOOD = {
  id: '11111111-1111-4111-8111-111111111111',
  at: '2026-01-31T12:00:00.000Z',
  amountMinor: 0,
  count: 1,
  on: false,
  choice: 'a',
  list: ['abc'],
  map: { key: '' },
  part: { name: 'abc' },
  parts: [{ name: 'a' }, { name: 'b' }],
  note: null,
};

const accepts = addFormats.default(new Ajv2020({ strict: true })).compile(schemaOf(Everything));
const checks = (value: object): boolean => validateSync(plainToInstance(Everything, value), { forbidUnknownValues: true }).length === 0;

describe('a field says the same as rule and as schema', () => {
  test('good values', () => expect([checks(GOOD), accepts(GOOD)]).toEqual([true, true]));

  test.each<[string, unknown, boolean]>([
    ['at', '2026-02-31T12:00:00.000Z', false],
    ['at', '2026-02-29T12:00:00.000Z', false],
    ['at', '2024-02-29T12:00:00.000Z', true],
    ['at', '2100-02-29T12:00:00.000Z', false],
    ['at', '2026-04-31T12:00:00.000Z', false],
    ['at', '2026-01-31T24:00:00.000Z', false],
    ['at', '2026-01-31T12:00:60.000Z', false],
    ['at', '2026-01-31T12:00:00Z', false],
    ['at', '2026-01-31T12:00:00.000+01:00', false],
    ['at', '1999-12-31T23:59:59.999Z', false],
    ['at', '2199-12-31T23:59:59.999Z', true],
    ['at', '2200-01-01T00:00:00.000Z', false],
    ['amountMinor', AMOUNT_MAX_MINOR, true],
    ['amountMinor', AMOUNT_MAX_MINOR + 1, false],
    ['amountMinor', -1, false],
    ['amountMinor', 1.5, false],
    ['amountMinor', '1', false],
    ['amountMinor', JSON.parse('1.0'), true],
    ['amountMinor', JSON.parse('-0'), true],
    ['amountMinor', JSON.parse('1e400'), false],
    ['count', 0, false],
    ['count', 4, false],
    ['on', 'true', false],
    ['on', 0, false],
    ['choice', '1', false],
    ['choice', 1, true],
    ['list', [], true],
    ['list', [''], false],
    ['list', ['abcd'], false],
    ['list', ['a', 'b', 'c'], false],
    ['list', 'abc', false],
    ['list', { 0: 'a' }, false],
    ['list', ['😀😀😀'], true],
    ['map', { toString: 'abc', hasOwnProperty: '' }, true],
    ['map', { toString: 1 }, false],
    ['map', { '': 'a' }, false],
    ['map', { ['k'.repeat(64)]: 'a' }, true],
    ['map', { ['😀'.repeat(64)]: 'a' }, true],
    ['map', { ['k'.repeat(65)]: 'a' }, false],
    ['map', { a: '1234' }, false],
    ['map', { a: '', b: '', c: '' }, false],
    ['map', [], false],
    ['part', [], false],
    ['part', [{ name: 'a' }], false],
    ['part', { name: '' }, false],
    ['part', null, false],
    ['parts', {}, false],
    ['parts', [null], false],
    ['parts', [[]], false],
    ['parts', [{ name: 'a', more: 1 }], true],
    ['parts', [{ name: 'a' }, { name: 'a' }, { name: 'a' }], false],
    ['note', undefined, true],
    ['note', '', false],
    ['note', '😀😀😀', true],
    ['note', '😀😀😀😀', false],
    // Three characters with a variation selector each are six code points.
    ['note', '1\uFE0F2\uFE0F3\uFE0F', false],
    ['id', 'AAAAAAAA-1111-4111-8111-111111111111', false],
    ['id', 'urn:uuid:11111111-1111-4111-8111-111111111111', false],
  ])('%s: %j -> %s', (name, value, good) => {
    const changed = { ...GOOD, [name]: value };
    expect({ rule: checks(changed), schema: accepts(changed) }).toEqual({ rule: good, schema: good });
  });

  test.each<[string, unknown]>([
    ['note', 'a\u0000'],
    ['note', '\uD83D'],
    ['list', ['\u0000']],
    ['map', { a: '\uDC00' }],
    ['map', { 'a\u0000': '' }],
  ])('text that cannot be stored or keyed is refused by the rule, though the schema cannot say so: %s %j', (name, value) => {
    expect([checks({ ...GOOD, [name]: value }), accepts({ ...GOOD, [name]: value })]).toEqual([false, true]);
  });

  test.each(Object.keys(GOOD).filter((name) => name !== 'note'))('%s may not be absent', (name) => {
    const { [name as 'id']: _gone, ...rest } = GOOD;
    expect([checks(rest), accepts(rest)]).toEqual([false, false]);
  });
});

describe('the schema of a class', () => {
  test('has the inherited fields first and names the required ones', () => {
    const schema = schemaOf(Everything);
    expect(Object.keys(schema['properties'] as object)[0]).toBe('id');
    expect(schema['required']).toEqual(['amountMinor', 'at', 'choice', 'count', 'id', 'list', 'map', 'on', 'part', 'parts']);
    expect(schemaOf(Base)).toEqual({ type: 'object', properties: { id: expect.objectContaining({ format: 'uuid' }) }, required: ['id'] });
  });

  test.each(allContracts().map((contract) => [contract.ceType, contract] as const))(
    '%s is valid JSON Schema, without a keyword that nobody knows',
    (_name, contract) => {
      const ajv = addFormats.default(new Ajv2020({ strict: true }));
      expect(ajv.validateSchema(contract.jsonSchema())).toBe(true);
      expect(ajv.compile(contract.jsonSchema())(contract.sample)).toBe(true);
    },
  );
});
