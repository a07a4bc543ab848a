import { emit, PartnerChanged } from '@baton/contracts';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { type Account, clickOf, customerOf, type Json, openWorld, type World } from './ingest.world';

describe('conversions among referrals', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  const [a, b, c] = [randomUUID(), randomUUID(), randomUUID()];

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(21);
    await world.publish([
      ...customerOf(acme, { id: a, customerId: 'A', linkNumber: 31 }),
      ...customerOf(acme, { id: b, customerId: 'B', linkNumber: 32, referredBy: a }),
      ...customerOf(acme, { id: c, customerId: 'C', linkNumber: 33, referredBy: b }),
      emit(PartnerChanged, { ...PartnerChanged.sample, tenantId: acme.tenantId }),
    ]);
    await eventually(() => world.knows(acme.key), 60_000);
    await eventually(async () => (await through(21, 'nobody')).json['referral_depth'] === 0, 20_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const convert = (more: Json) => world.convert(more, { key: acme.key });
  const through = (linkNumber: number, customer_id: string) => convert({ click_id: clickOf(acme.tenantId, linkNumber), customer_id });
  const refusals = async (answers: Promise<{ status: number; json: Json }>[]) =>
    (await Promise.all(answers)).map(({ status, json }) => [status, json['code'] ?? json['verdict']]);
  const referred = (sent: Json): unknown => sent['referralDepth'];

  it('carry how many customers referred one another up to them: 0, 1, 2, 3, in one group', async () => {
    const answers = await Promise.all([21, 31, 32, 33].map((linkNumber) => through(linkNumber, `new-${linkNumber}`)));
    expect(answers.map(({ json }) => [json['verdict'], json['referral_depth']])).toEqual([0, 1, 2, 3].map((depth) => ['accepted', depth]));
    const ids = answers.map(({ json }) => json['conversion_id']);
    const sent = await world.rows('SELECT key, value::jsonb AS value FROM outbox WHERE key = ANY ($1)', ids);
    expect(ids.map((id) => referred(sent.find(({ key }) => key === id)?.['value'] as Json))).toEqual([0, 1, 2, 3]);
  });

  it('are told by a referral code too: a link’s slug or a partner’s key; a code of nobody says nothing', async () => {
    const by = async (referral_code: string, tenant = acme) =>
      (await world.convert({ customer_id: 'new', referral_code }, { key: tenant.key })).json['referral_depth'];
    expect([await by('share-33'), await by('c-B'), await by('SHARE-33'), await by('none')]).toEqual([3, 2, undefined, undefined]);
    const other = await world.account(22);
    await eventually(() => world.knows(other.key), 20_000);
    expect(await by('share-33', other)).toBeUndefined();
  });

  it('are refused where A referred B, B referred C, and C would refer A; and by one’s own link', async () => {
    expect(await refusals([through(33, 'A'), through(32, 'A'), through(31, 'A'), through(33, 'B')])).toEqual(
      Array.from({ length: 4 }, () => [422, 'self_referral']),
    );
    expect(
      await refusals([convert({ customer_id: 'A', referral_code: 'share-33' }), convert({ customer_id: 'C', referral_code: 'c-C' })]),
    ).toEqual(Array.from({ length: 2 }, () => [422, 'self_referral']));
    expect((await through(33, 'A')).json).toMatchObject({
      errors: [{ field: 'click_id', problem: expect.stringContaining('would refer themself') }],
      detail: expect.stringContaining('2 steps up'),
    });
    expect(await refusals([through(31, 'B'), through(31, 'C'), through(21, 'A')])).toEqual(
      Array.from({ length: 3 }, () => [201, 'accepted']),
    );
  });

  it('end where a catalog says that people refer one another, and stay duplicates after it moved', async () => {
    const first = { external_id: 'kept', customer_id: 'D', click_id: clickOf(acme.tenantId, 31) };
    expect((await convert(first)).status).toBe(201);
    const [version, referredBy] = [2, c];
    await world.publish(customerOf(acme, { id: a, customerId: 'A', linkNumber: 31, referredBy, version }));
    await eventually(async () => (await through(31, 'B')).json['code'] === 'self_referral', 20_000);
    expect((await through(31, 'E')).json['referral_depth']).toBe(64);
    expect(await refusals([convert(first), convert({ ...first, amount_minor: 1 })])).toEqual([
      [200, 'accepted'],
      [409, 'conflict'],
    ]);
  });
});
