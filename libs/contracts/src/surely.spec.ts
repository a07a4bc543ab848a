import { IsInt, IsOptional, Min, ValidateNested } from 'class-validator';
import { allContracts, isSurely, Optional, Text } from './index';

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
});
