import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { type Account, openWorld, type World } from '../ingest.world';
import { ask, type Golden, keeps, nativeSuccesses, spoken, type Wire, type Words, wordsOf } from './wire.world';

const doors = [
  ...spoken().flatMap((fixtures) => {
    const { name, purchase, refusals } = fixtures;
    return purchase ? [{ name, purchase, conflict: refusals['conflict'] as Golden, mayLookFine: nativeSuccesses(fixtures) }] : [];
  }),
  {
    name: 'api',
    purchase: {
      method: 'POST',
      path: '/v1/conversions',
      headers: { authorization: 'Bearer {{key}}', 'content-type': 'application/json' },
      body: { external_id: '{{order}}', customer_id: 'buyer', amount_minor: '{{amountMinor}}', currency: 'EUR' },
    },
    conflict: { status: 409, body: '{{*}}' },
    mayLookFine: new Set<string>(),
  },
];

describe('one purchase', () => {
  let db: TestDatabase;
  let world: World;
  let shop: Account;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    shop = await world.account(50);
    for (const replica of [0, 1]) await eventually(() => world.knows(shop.key, replica), 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const asking = (wire: Wire, words: Words, replica = 0, mayLookFine: ReadonlySet<string> = new Set()) =>
    ask(world.replicas[replica]?.url as string, wire, words, mayLookFine);
  const bought = () => wordsOf(shop, { order: `p-${randomUUID()}`, amountMinor: 4999, amountMajor: '49.99' });
  const storedAs = (words: Words) => world.rows('SELECT door, data FROM facts WHERE external_id = $1', words['order']);
  const toldOf = async (words: Words) =>
    (await world.rows('SELECT 1 FROM outbox WHERE value LIKE $1', `%${String(words['order'])}%`)).length;

  it('is one conversion, whichever doors tell of it, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.shuffledSubarray(doors, { minLength: 2 }), fc.nat(1), async (telling, replica) => {
        const words = bought();
        const verdicts: (string | null)[] = [];
        for (const [i, { purchase }] of telling.entries())
          verdicts.push((await asking(purchase, words, (i + replica) % 2)).headers.get('baton-verdict'));
        expect(verdicts).toEqual(['accepted', ...telling.slice(1).map(() => 'duplicate')]);
        expect(await storedAs(words)).toMatchObject([{ door: telling[0]?.name, data: { amountMinor: 4999, currency: 'EUR' } }]);
        expect(await toldOf(words)).toBe(1);
      }),
      { numRuns: 15 },
    );
  });

  it('is one conversion, when every door tells of it at once', async () => {
    for (let round = 0; round < 8; round++) {
      const words = bought();
      const all = await Promise.all(doors.flatMap(({ purchase }) => [0, 1, 0].map((replica) => asking(purchase, words, replica))));
      const verdicts = all.map(({ headers }) => headers.get('baton-verdict'));
      expect(verdicts.sort()).toEqual(['accepted', ...all.slice(1).map(() => 'duplicate')]);
      expect(new Set(all.map(({ headers }) => headers.get('baton-receipt'))).size).toBe(1);
      expect([await storedAs(words), await toldOf(words)]).toMatchObject([{ length: 1 }, 1]);
    }
  });

  it.each(doors.map((one) => [one.name, one] as const))('with another amount through %s is a conflict, natively', async (_, one) => {
    for (const { purchase } of doors) {
      const words = bought();
      await asking(purchase, words);
      const other = { ...words, amountMinor: 5999, amountMajor: '59.99' };
      keeps(await asking(one.purchase, other, 1, one.mayLookFine), { ...one.conflict, headers: { 'baton-reason': 'conflict' } }, other);
      expect(await storedAs(words)).toMatchObject([{ data: { amountMinor: 4999 } }]);
    }
  });
});
