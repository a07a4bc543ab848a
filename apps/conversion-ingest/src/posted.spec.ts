import { isSurely } from '@baton/contracts';
import { like, nearly, strangeWord } from '@baton/testing';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import fc from 'fast-check';
import { ConversionBody, IdentityBody, ReversalBody } from './bodies';

const BODIES: readonly [string, new () => object, object][] = [
  [
    'conversion',
    ConversionBody,
    {
      external_id: 'o-1',
      click_id: 'abc',
      email: 'jane@example.org',
      type: 'sale',
      amount_minor: 100,
      currency: 'EUR',
      quantity: 2,
      line_items: [{ sku: 's', category: null, quantity: 1, amount_minor: 100 }],
      occurred_at: '2026-01-01T00:00:00Z',
      sub_ids: { sub1: 'a' },
      metadata: { store: 'berlin' },
      program_id: '20000000-0000-4000-8000-000000000000',
    },
  ],
  ['reversal', ReversalBody, { external_id: 'o-1', reversal_id: 'r-1', amount_minor: 100, currency: 'EUR', reason: 'broken' }],
  ['identity', IdentityBody, { click_id: 'abc', customer_id: 'c', email: 'jane@example.org', visitor_id: 'v' }],
];

describe('a body that surely is right', () => {
  it.each(BODIES)('of a %s is one in which nothing wrong is found, and which is taken as it came', (_name, type, example) => {
    const seen = { sure: 0, unsure: 0 };
    expect(isSurely(type, example)).toBe(true);
    const bodies = fc.oneof({ weight: 9, arbitrary: like(example) }, nearly({ external_id: strangeWord, more: strangeWord }));
    fc.assert(
      fc.property(bodies, (body) => {
        const isSure = isSurely(type, body);
        seen[isSure ? 'sure' : 'unsure']++;
        if (!isSure) return;
        const read: object = plainToInstance(type, body);
        expect(validateSync(read, { whitelist: true, forbidNonWhitelisted: true })).toEqual([]);
        expect(JSON.parse(JSON.stringify(read))).toEqual(JSON.parse(JSON.stringify(body)));
      }),
      { numRuns: 400 },
    );
    expect([seen.sure > 20, seen.unsure > 20]).toEqual([true, true]);
  });
});
