import { getMetadataStorage, IsInt, IsOptional, Min, ValidateNested } from 'class-validator';
import fc from 'fast-check';
import { allContracts, isSurely, Optional, Text } from './index';
import { knownRule } from './surely';

const contracts = allContracts().map((contract) => [contract.ceType, contract] as const);

describe('what surely is right', () => {
  it.each(contracts)('%s: its sample is', (_name, { schema, sample }) => {
    expect(isSurely(schema, sample)).toBe(true);
  });

  it.each(contracts)('%s: with a field too many, too few, or of another type it is not', (_name, { schema, sample }) => {
    expect(isSurely(schema, { ...sample, more: 1 })).toBe(false);
    for (const name of Object.keys(sample))
      expect([name, isSurely(schema, { ...sample, [name]: [[Symbol.iterator]] })]).toEqual([name, false]);
    for (const value of [null, undefined, 1, 'text', [], [sample]]) expect(isSurely(schema, value)).toBe(false);
    expect(isSurely(schema, { ...sample, tenantId: undefined })).toBe(false);
  });

  it('is never what has defaults to fill in, or rules that cannot be looked up', () => {
    class Defaults {
      @IsInt() count = 3;
    }
    class Inner {
      @Min(1) count!: number;
    }
    class Unknown {
      @ValidateNested() inner!: Inner;
    }
    class Bare {}
    expect([isSurely(Defaults, { count: 3 }), isSurely(Unknown, { inner: { count: 1 } }), isSurely(Bare, {})]).toEqual([
      false,
      false,
      false,
    ]);
  });

  it('may lack what is optional', () => {
    class Both {
      @Optional() @Text(5) name?: string | null;
      @IsOptional() @IsInt() count?: number;
    }
    for (const value of [{}, { name: null }, { count: 1 }, { name: 'a', count: 2 }]) expect(isSurely(Both, value)).toBe(true);
    for (const value of [{ name: '' }, { name: 'abcdef' }, { name: 'a\u0000' }, { name: '\ud800' }, { count: 0.5 }])
      expect(isSurely(Both, value)).toBe(false);
  });

  it('knows rules by the same verdicts as class-validator gives', () => {
    const storage = getMetadataStorage();
    const rules = allContracts().flatMap(({ schema }) =>
      storage.getTargetValidationMetadatas(schema, '', false, false).filter(({ type }) => type === 'customValidation'),
    );
    const names = new Set<string>();
    const value = fc.oneof(
      fc.anything(),
      fc.string({ unit: 'binary', maxLength: 80 }),
      fc.integer(),
      fc.constantFrom(
        NaN,
        Infinity,
        0.5,
        '',
        '\ud800',
        '2026-01-31T12:00:00.000Z',
        '2026-02-28T23:59:59.999Z',
        '2026-02-30T12:00:00.000Z',
        '2100-02-29T12:00:00.000Z',
        '+012026-01-31T12:00:00.000Z',
        'EUR',
        'active',
        '00000000-0000-4000-8000-000000000001',
      ),
      fc.dictionary(fc.string({ maxLength: 70 }), fc.string()),
      fc.array(fc.string()),
    );
    for (const rule of rules) {
      const known = knownRule(rule);
      if (!known) continue;
      names.add(rule.name ?? rule.constraintCls.name);
      const [constraint] = storage.getTargetValidatorConstraints(rule.constraintCls);
      const args = { constraints: rule.constraints as unknown[], targetName: '', object: {}, property: rule.propertyName };
      fc.assert(
        fc.property(value, (one) => {
          // What is no plain data is nobody's: functions count as objects elsewhere.
          fc.pre(typeof one !== 'function');
          expect([rule.name, one, known(one)]).toEqual([rule.name, one, constraint?.instance.validate(one, { ...args, value: one })]);
        }),
        { numRuns: 40 },
      );
    }
    expect([...names].sort()).toEqual([
      'RealDate',
      'TextMapRule',
      'TextRule',
      'arrayMaxSize',
      'isArray',
      'isBoolean',
      'isIn',
      'isInt',
      'isObject',
      'isString',
      'matches',
      'max',
      'min',
    ]);
  });
});
