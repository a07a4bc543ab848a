import fc from 'fast-check';
import { ConversionBody, LineItemBody } from '../bodies';
import { bodyOfCells, type Column, CONVERSION_COLUMNS, readColumns } from './cells';
import { minorDigits, minorOfDecimal } from './currency';

const columnsOf = (...header: string[]): readonly Column[] => {
  const read = readColumns(header);
  if (read.kind === 'malformed') throw new Error(JSON.stringify(read.problems));
  return read.columns;
};
const read = (header: string, row: string, delimiter = ',') =>
  bodyOfCells(columnsOf(...header.split(delimiter)), row.split(delimiter), delimiter);
const fieldsOf = (body: new () => object): string[] =>
  (Reflect.getMetadata('swagger/apiModelPropertiesArray', body.prototype as object) as string[]).map((name) => name.slice(1));

describe('a decimal amount', () => {
  it.each([
    ['12.34', 'EUR', 1234],
    ['12', 'EUR', 1200],
    ['12.3', 'USD', 1230],
    ['0.01', 'EUR', 1],
    ['1200', 'JPY', 1200],
    ['1.234', 'KWD', 1234],
    ['-5', 'EUR', -500],
    ['0.29', 'EUR', 29],
    ['9007199254740.99', 'EUR', 900719925474099],
  ])('%s %s is %d minor units', (text, currency, minor) => expect(minorOfDecimal(text, currency, false)).toBe(minor));

  it.each([
    ['12.345', 'EUR', 'has 3 digits behind its mark; EUR has 2'],
    ['1.000', 'EUR', 'has 3 digits'],
    ['12.5', 'JPY', 'JPY has none'],
    ['12,34', 'EUR', 'is no amount: write it as 1234.56'],
    ['1,234.50', 'EUR', 'is no amount'],
    ['12.', 'EUR', 'is no amount'],
    ['€12', 'EUR', 'is no amount'],
    ['1e3', 'EUR', 'is no amount'],
    ['', 'EUR', 'is no amount'],
  ])('%j %s is none', (text, currency, problem) => expect(minorOfDecimal(text, currency, false)).toContain(problem));

  it('may have a comma where that cannot separate cells', () => expect(minorOfDecimal('12,34', 'EUR', true)).toBe(1234));

  it('is what was written, for every amount and number of digits', () =>
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_000_000_000_000 }), fc.constantFrom('JPY', 'EUR', 'KWD'), (minor, currency) => {
        const digits = minorDigits(currency);
        const text = String(minor).padStart(digits + 1, '0');
        const at = text.length - digits;
        expect(minorOfDecimal(digits === 0 ? text : `${text.slice(0, at)}.${text.slice(at)}`, currency, false)).toBe(minor);
      }),
    ));
});

describe('the columns of conversions', () => {
  it('are the fields of a conversion, all of them', () => {
    const plain = CONVERSION_COLUMNS.filter((name) => !name.includes('<') && name !== 'amount');
    expect([...plain, 'line_items', 'metadata', 'sub_ids'].sort()).toEqual(fieldsOf(ConversionBody).sort());
    for (const field of fieldsOf(LineItemBody)) expect(columnsOf('external_id', `line_items.99.${field}`)).toHaveLength(2);
  });
  it('may be written large, in any order, beside what a file of rejected rows adds', () => {
    expect(columnsOf('reason', ' EXTERNAL_ID ', 'Metadata.Plan', 'detail').map(({ field }) => field)).toEqual([
      null,
      'external_id',
      'metadata.Plan',
      null,
    ]);
  });
  it.each([
    ['color', /^color is not a column of conversions; there are external_id/],
    ['metadata.__proto__', /is not a column/],
    ['metadata.', /is not a column/],
    ['line_items.100.sku', /is not a column/],
    ['line_items.0.price', /is not a column/],
    ['line_items.0.pending_verification', /is not a column/],
    ['external_id', /external_id is named twice/],
  ])('are refused: %s', (name, why) => {
    const columns = readColumns(['external_id', name]);
    expect(columns.kind === 'malformed' && columns.problems.map(({ field, problem }) => `${field} ${problem}`).join()).toMatch(why);
  });
  it('are refused without an id of the order', () => {
    expect(readColumns(['amount'])).toEqual({
      kind: 'malformed',
      problems: [{ field: 'external_id', problem: 'is missing in the header' }],
    });
  });
});

describe('a row of cells', () => {
  it('is the body of a single conversion; an empty cell says nothing', () => {
    const header =
      'external_id,email,amount,currency,quantity,metadata.plan,metadata.Seat,sub_ids.sub1,line_items.0.sku,line_items.0.amount,line_items.1.amount_minor';
    expect(read(header, 'o1,,12.30,EUR,2,pro,,x,a,10,230')).toEqual({
      wrong: null,
      body: {
        external_id: 'o1',
        amount_minor: 1230,
        currency: 'EUR',
        quantity: 2,
        metadata: { plan: 'pro' },
        sub_ids: { sub1: 'x' },
        line_items: [{ sku: 'a', amount_minor: 1000 }, { amount_minor: 230 }],
      },
    });
  });
  it('leaves what is no number to the rules of a single conversion', () => {
    expect(read('external_id,amount_minor,quantity', 'o1,12.5,many').body).toMatchObject({ amount_minor: '12.5', quantity: 'many' });
  });
  it('reads yes and no as people write them, and leaves the rest to the rules', () => {
    const pending = (cell: string): unknown => read('external_id,pending_verification', `o1,${cell}`).body['pending_verification'];
    expect(['true', 'TRUE', '1', 'yes', 'false', '0', 'No', 'maybe', ''].map(pending)).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
      false,
      'maybe',
      undefined,
    ]);
  });
  it('reads a decimal comma where cells are separated otherwise', () => {
    expect(read('external_id;amount;currency', 'o1;12,30;EUR', ';').body).toMatchObject({ amount_minor: 1230 });
    expect(bodyOfCells(columnsOf('external_id', 'amount', 'currency'), ['o1', '12,30', 'EUR'], ',').wrong).toMatchObject({
      code: 'amount_invalid',
      problems: [{ field: 'amount' }],
    });
  });
  it('takes the sign away that keeps a spreadsheet from running a cell', () => {
    expect(read('external_id,event,order_id', "'=1+1,'quoted',''=x").body).toEqual({
      external_id: '=1+1',
      event: "'quoted'",
      order_id: "''=x",
    });
  });
  it.each([
    ['external_id,amount', 'o1,12.30', 'currency_unknown', 'currency'],
    ['external_id,amount,currency', 'o1,12.30,eur', 'currency_unknown', 'currency'],
    ['external_id,amount,amount_minor,currency', 'o1,12.30,1230,EUR', 'amount_invalid', 'amount'],
    ['external_id,line_items.1.sku', 'o1,a', 'malformed', 'line_items.0'],
    ['external_id', 'o1,more', 'malformed', ''],
  ])('is refused: %s with %s', (header, row, code, field) => {
    expect(read(header, row).wrong).toMatchObject({ code, problems: [{ field }] });
  });
  it('may end in empty cells', () => expect(read('external_id', 'o1,,').wrong).toBeNull());
});
