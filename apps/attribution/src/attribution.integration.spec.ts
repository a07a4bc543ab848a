import { type AttributionRevisedData, type Outgoing } from '@baton/contracts';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores as testStores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { postgresStores } from './app.module';
import {
  at,
  click,
  clickIdOf,
  conversion,
  conversionIdOf,
  identity,
  link,
  program,
  programOf,
  reversal,
  SKEW_MS,
  WINDOW_MS,
} from './testing/facts';
import { newest, type World, world } from './testing/world';

const NEVER_SETTLES_MS = 1e12;

describe('attribution on Postgres', () => {
  let db: TestDatabase;
  let waiting: World;
  let settling: World;
  let tenant: string;
  let made: number;
  const of = async (externalId: string): Promise<AttributionRevisedData> =>
    (await newest(waiting, [tenant])).get(conversionIdOf(tenant, externalId)) as AttributionRevisedData;
  const said = async (externalId: string) => {
    const { outcome, reason, revision, credits } = await of(externalId);
    return [revision, outcome, reason, credits[0]?.clickId, credits[0]?.evidence];
  };
  const given = (...facts: Outgoing[]) => waiting.deliver(facts);

  beforeAll(async () => {
    db = await testDatabase('attribution', { adminUrl: testStores().postgresAdminUrl, prefix: ownPrefix() });
    waiting = world(db.worker, postgresStores(), NEVER_SETTLES_MS);
    settling = world(db.worker, postgresStores(), 0);
    made = await waiting.database.untenanted((tx) => postgresStores().clicks.makePartitions(tx));
  }, 60_000);
  afterAll(async () => {
    await waiting?.close();
    await settling?.close();
    await db?.drop();
  });
  beforeEach(async () => {
    tenant = randomUUID();
    await given(program(tenant, 'odd'), link(tenant, 1));
  });

  it('credits the click that a conversion names, whichever of the two comes first', async () => {
    const named = { clickId: clickIdOf(tenant, 1, at(0)) };
    await given(click(tenant, 1, at(0)));
    await given(conversion(tenant, 'click first', at(5), named));
    expect(await said('click first')).toEqual([1, 'attributed', 'credited', named.clickId, 'click_id']);
    const later = { clickId: clickIdOf(tenant, 1, at(1)) };
    await given(conversion(tenant, 'conversion first', at(5), later));
    expect((await of('conversion first')).credits).toMatchObject([{ recorded: false, subIds: {}, network: null }]);
    await given(click(tenant, 1, at(1)));
    expect(await of('conversion first')).toMatchObject({
      revision: 2,
      credits: [{ recorded: true, subIds: { sid: 'newsletter' }, network: '203.0.113.0/24' }],
    });
  });

  it('gives nothing new for a repeat of any fact, in any batch', async () => {
    const facts = [
      click(tenant, 1, at(0)),
      conversion(tenant, 'o', at(5), { clickId: clickIdOf(tenant, 1, at(0)) }),
      reversal(tenant, 'o', 'r', 100, at(9)),
      identity(tenant, { kind: 'customer_id', value: 'k' }, { kind: 'email_hash', value: 'e' }),
    ];
    expect((await given(...facts, ...facts)).revised.length).toBe(2);
    expect((await given(...facts)).revised).toEqual([]);
    for (const fact of facts) expect((await given(fact)).revised).toEqual([]);
  });

  it('ties a click to a customer by an identity, and then to every conversion of that customer', async () => {
    await given(
      conversion(tenant, 'o1', at(5), { customerId: 'k' }),
      conversion(tenant, 'o2', at(6), { customerId: 'k' }),
      conversion(tenant, 'o3', at(6), { emailHash: 'e' }),
    );
    expect(await said('o1')).toEqual([1, 'pending', 'awaiting_touch', undefined, undefined]);
    const clickId = clickIdOf(tenant, 1, at(0));
    await given(identity(tenant, { kind: 'click_id', value: clickId }, { kind: 'customer_id', value: 'k' }));
    expect([await said('o1'), await said('o2')]).toEqual([
      [2, 'attributed', 'credited', clickId, 'customer_id'],
      [2, 'attributed', 'credited', clickId, 'customer_id'],
    ]);
    await given(identity(tenant, { kind: 'customer_id', value: 'k' }, { kind: 'email_hash', value: 'e' }));
    expect(await said('o3')).toEqual([2, 'attributed', 'credited', clickId, 'identity']);
    expect((await of('o1')).revision).toBe(2);
  });

  it('says anew by what a click is tied, when a fact names click and customer together whom others had already joined', async () => {
    const clickId = clickIdOf(tenant, 1, at(0));
    const [c, v, k] = [
      { kind: 'click_id', value: clickId } as const,
      { kind: 'visitor_id', value: 'v' } as const,
      { kind: 'customer_id', value: 'k' } as const,
    ];
    await given(identity(tenant, c, v), identity(tenant, v, k), conversion(tenant, 'o', at(5), { customerId: 'k' }));
    expect(await said('o')).toEqual([1, 'attributed', 'credited', clickId, 'identity']);
    await given(identity(tenant, c, k));
    expect(await said('o')).toEqual([2, 'attributed', 'credited', clickId, 'customer_id']);
  });

  it('takes refunds off whenever they come, and never below zero', async () => {
    await given(reversal(tenant, 'o', 'b', 5_000, at(20)));
    await given(conversion(tenant, 'o', at(5), { clickId: clickIdOf(tenant, 1, at(0)) }));
    expect((await of('o')).conversion.netAmountMinor).toBe(7_000);
    await given(reversal(tenant, 'o', 'a', 9_000, at(10)));
    expect((await of('o')).conversion).toMatchObject({ netAmountMinor: 0, reversals: [{ amountMinor: 9_000 }, { amountMinor: 3_000 }] });
    await given(reversal(tenant, 'o', 'c', null, at(30)));
    expect(await of('o')).toMatchObject({ revision: 3, conversion: { netAmountMinor: 0, reversals: [{}, {}, { amountMinor: 0 }] } });
  });

  it('waits for a link and for a program, and decides when they come', async () => {
    const even = { clickId: clickIdOf(tenant, 2, at(0)) };
    await given(conversion(tenant, 'o', at(5), even));
    expect(await said('o')).toEqual([1, 'pending', 'awaiting_catalog', undefined, undefined]);
    expect(await waiting.sweep()).toBe(0);
    await given(link(tenant, 2));
    expect(await waiting.sweep()).toBe(1);
    expect((await said('o')).slice(0, 2)).toEqual([1, 'pending']);
    await given(program(tenant, 'even'));
    await waiting.sweep();
    expect(await said('o')).toEqual([2, 'attributed', 'credited', even.clickId, 'click_id']);
  });

  it('calls a conversion unattributed when its time to wait is over, and a later touch still rescues it', async () => {
    await settling.deliver([
      conversion(tenant, 'o', Date.now(), { customerId: 'k', receivedAt: new Date(Date.now() + 250).toISOString() }),
    ]);
    expect(await said('o')).toEqual([1, 'pending', 'awaiting_touch', undefined, undefined]);
    const deadline = Date.now() + 5_000;
    while ((await said('o'))[0] === 1 && Date.now() < deadline) await settling.sweep();
    expect(await said('o')).toEqual([2, 'unattributed', 'no_touch', undefined, undefined]);
    // What was settled once stays so, whatever another replica's patience or clock says.
    await waiting.deliver([reversal(tenant, 'o', 'r', 100, at(0))]);
    expect(await said('o')).toEqual([3, 'unattributed', 'no_touch', undefined, undefined]);
    const clickId = clickIdOf(tenant, 1, Date.now() - 1_000);
    await given(identity(tenant, { kind: 'click_id', value: clickId }, { kind: 'customer_id', value: 'k' }));
    expect(await said('o')).toEqual([4, 'attributed', 'credited', clickId, 'customer_id']);
  });

  it('decides again what rests on terms that get a new version in force at the time', async () => {
    await given(
      conversion(tenant, 'early', at(5), { clickId: clickIdOf(tenant, 1, at(0)) }),
      conversion(tenant, 'late', at(50), { clickId: clickIdOf(tenant, 1, at(1)) }),
    );
    await given(program(tenant, 'odd', 2, { windowMs: 60_000, validFrom: new Date(at(10)).toISOString() }));
    expect(await waiting.sweep()).toBe(1);
    expect([(await said('early')).slice(0, 3), (await said('late')).slice(0, 3)]).toEqual([
      [1, 'attributed', 'credited'],
      [2, 'unattributed', 'outside_window'],
    ]);
  });

  it('drops a forged click id as evidence, and refuses a click record whose id was not signed for its tenant', async () => {
    const foreign = clickIdOf(randomUUID(), 1, at(0));
    await settling.deliver([conversion(tenant, 'o', at(5), { clickId: foreign })]);
    expect(await of('o')).toMatchObject({
      outcome: 'unattributed',
      reason: 'click_forged',
      conversion: { droppedEvidence: ['click_forged'] },
    });
    await expect(given(click(tenant, 1, at(0), { clickId: foreign }))).rejects.toThrow(/wrong_tenant/);
    await expect(given(click(tenant, 1, at(0), { linkNumber: 2 }))).rejects.toThrow(/schema/);
    await given(identity(tenant, { kind: 'click_id', value: foreign }, { kind: 'customer_id', value: 'k' }));
    await given(conversion(tenant, 'o2', at(5), { customerId: 'k' }));
    expect(await said('o2')).toEqual([1, 'pending', 'awaiting_touch', undefined, undefined]);
  });

  it('believes a named click within the clock skew, counts the window to the millisecond, and the program that is named', async () => {
    const late = clickIdOf(tenant, 1, at(5) + SKEW_MS);
    await given(
      conversion(tenant, 'skew', at(5), { clickId: late }),
      conversion(tenant, 'window', at(0) + WINDOW_MS, { clickId: clickIdOf(tenant, 1, at(0)) }),
    );
    await given(
      conversion(tenant, 'beyond', at(1) + WINDOW_MS + 1, { clickId: clickIdOf(tenant, 1, at(1)) }),
      conversion(tenant, 'else', at(5), { programId: programOf(tenant, 'even'), clickId: clickIdOf(tenant, 1, at(2)) }),
    );
    expect([(await said('skew'))[2], (await said('window'))[2], (await said('beyond'))[2], (await said('else'))[2]]).toEqual([
      'credited',
      'credited',
      'outside_window',
      'other_program',
    ]);
  });

  it('never lets persons of two tenants meet, though all their names are the same', async () => {
    const other = randomUUID();
    await given(
      conversion(tenant, 'o', at(5), { customerId: 'k' }),
      conversion(other, 'o', at(5), { customerId: 'k' }),
      identity(other, { kind: 'click_id', value: clickIdOf(other, 1, at(0)) }, { kind: 'customer_id', value: 'k' }),
      program(other, 'odd'),
      link(other, 1),
    );
    await waiting.sweep();
    expect([(await said('o'))[1], (await newest(waiting, [other])).get(conversionIdOf(other, 'o'))?.outcome]).toEqual([
      'pending',
      'attributed',
    ]);
  });

  it('refreshes the statistics of tables that changed much, and of no others', async () => {
    await given(...Array.from({ length: 1_500 }, (_, i) => reversal(tenant, `order ${i}`, 'r', 1, at(0))));
    const refresh = () => waiting.database.untenanted((tx) => postgresStores().attributions.refreshStatistics(tx));
    // The server hears of a transaction's changes up to a second after it; reversals and identifiers are what changed.
    let refreshed = 0;
    await eventually(async () => (refreshed += await refresh()) >= 2, 15_000);
    expect(await refresh()).toBe(0);
  }, 20_000);

  it('puts clicks into partitions of their day, and those of other days into the default one', async () => {
    expect([made, await waiting.database.untenanted((tx) => postgresStores().clicks.makePartitions(tx))]).toEqual([39, 0]);
    const now = Date.now();
    await given(click(tenant, 1, now), click(tenant, 1, at(-60 * 24 * 400)));
    const rows = await waiting.database.transaction([tenant], (tx) =>
      tx.$queryRawUnsafe<{ part: string }[]>('SELECT tableoid::regclass::text AS part FROM clicks ORDER BY day'),
    );
    expect(rows.map(({ part }) => part)).toEqual([
      'clicks_default',
      `clicks_${new Date(now).toISOString().slice(0, 10).replaceAll('-', '')}`,
    ]);
  });
});
