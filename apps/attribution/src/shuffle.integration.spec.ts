import { type Outgoing, TOPICS } from '@baton/contracts';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, stores as testStores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { postgresStores } from './app.module';
import { at, click, clickIdOf, conversion, identity, link, program, programOf, reversal, verification } from './testing/facts';
import { reference, summaryOf } from './testing/reference';
import { newest, type World, world } from './testing/world';

/** Few times, on both sides of the window (an hour), the skew (a minute) and the new terms (from minute 30): nine clicks in all, so that facts meet. */
const minute = fc.constantFrom(0, 31, 62);
const later = fc.constantFrom(5, 30, 61, 62, 90);
const linkNumber = fc.integer({ min: 1, max: 3 });
const customer = fc.constantFrom('k1', 'k2', 'k3');
const visitor = fc.constantFrom('v1', 'v2');
const order = fc.constantFrom('o1', 'o2', 'o3', 'o4', 'o5');

/** Makes one fact for a tenant; few names, so that they meet all the time. */
type Make = (tenant: string) => Outgoing;
const someClick = fc.tuple(linkNumber, minute, fc.option(visitor), fc.constantFrom(false, false, false, true)).map(
  ([n, m, visitorId, bot]): Make =>
    (t) =>
      click(t, n, at(m), { visitorId, bot }),
);
const someIdentity = fc
  .tuple(linkNumber, minute, customer, visitor, fc.integer({ min: 0, max: 3 }))
  .map(([n, m, k, v, shape]): Make => (t) => {
    const clickOf = { kind: 'click_id', value: clickIdOf(t, n, at(m)) } as const;
    const customerOf = { kind: 'customer_id', value: k } as const;
    const visitorOf = { kind: 'visitor_id', value: v } as const;
    return identity(
      t,
      ...([
        [clickOf, customerOf],
        [customerOf, visitorOf],
        [clickOf, visitorOf],
        [clickOf, customerOf, visitorOf],
      ][shape] as []),
    );
  });
const someConversion = fc
  .tuple(
    order,
    later,
    fc.option(fc.tuple(linkNumber, minute)),
    fc.option(customer),
    fc.option(visitor),
    fc.option(fc.constantFrom('odd', 'even')),
    fc.boolean(),
  )
  .map(
    ([o, m, named, customerId, visitorId, programName, pendingVerification]): Make =>
      (t) =>
        conversion(t, o, at(m), {
          clickId: named ? clickIdOf(t, named[0], at(named[1])) : null,
          customerId,
          visitorId,
          programId: programName ? programOf(t, programName) : null,
          pendingVerification,
        }),
  );
const someReversal = fc.tuple(order, fc.constantFrom('r1', 'r2', 'r3'), fc.option(fc.integer({ min: 1, max: 9_000 })), minute).map(
  ([o, name, amount, m]): Make =>
    (t) =>
      reversal(t, o, name, amount, at(m)),
);
const someVerification = fc.tuple(order, later, fc.constantFrom(false, false, true)).map(
  ([o, m, test]): Make =>
    (t) =>
      verification(t, o, at(m), test),
);
/** Link 3 never comes: its clicks stay unknown for ever. Version 2 of a program starts in the middle. */
const catalog: Make[] = [
  (t) => link(t, 1),
  (t) => link(t, 2),
  (t) => program(t, 'odd'),
  (t) => program(t, 'odd', 2, { windowMs: 600_000, validFrom: new Date(at(30)).toISOString() }),
  (t) => program(t, 'even'),
];
const makes = fc.tuple(
  fc.array(someClick, { maxLength: 8 }),
  fc.array(someIdentity, { maxLength: 6 }),
  fc.array(someConversion, { minLength: 2, maxLength: 8 }),
  fc.array(someReversal, { maxLength: 4 }),
  fc.array(someVerification, { maxLength: 4 }),
);

/** One fact of each id: two that differ under one id are a broken producer, not an order. */
const once = (facts: readonly Outgoing[]): Outgoing[] => [
  ...new Map(facts.map((fact) => [`${fact.contract.ceType} ${fact.data.tenantId} ${fact.contract.idOf(fact.data)}`, fact])).values(),
];

/** As from Kafka: a batch is of one topic. */
const byTopic = (facts: readonly Outgoing[]): Outgoing[][] =>
  [...new Set(facts.map(({ contract }) => contract.topic))].map((topic) => facts.filter(({ contract }) => contract.topic === topic));

describe('the same facts in any order', () => {
  let db: TestDatabase;
  const open: World[] = [];

  beforeAll(async () => {
    db = await testDatabase('attribution', { adminUrl: testStores().postgresAdminUrl, prefix: ownPrefix() });
  }, 60_000);
  afterAll(async () => {
    for (const opened of open) await opened.close();
    await db?.drop();
  });

  it.each([
    ['whose time to wait is over', 0, true],
    ['that wait for ever', 1e12, false],
  ])(
    'end in the same answers, shuffled, repeated, cut into batches and handled by two replicas at once: conversions %s',
    async (_name, pendingMs, settled) => {
      const replicas = [world(db.worker, postgresStores(), pendingMs), world(db.worker, postgresStores(), pendingMs)];
      open.push(...replicas);
      let retries = 0;
      await fc.assert(
        fc.asyncProperty(makes, fc.infiniteStream(fc.nat({ max: 1_000_000 })), async (some, noise) => {
          // New ones for each run: what an earlier run left behind must not be seen.
          const tenants = [randomUUID(), randomUUID()];
          const facts = once([...some.flat(), ...catalog].flatMap((make) => tenants.map(make)));
          const draw = (): number => noise.next().value as number;
          const arriving = [...facts, ...facts.filter(() => draw() % 5 === 0)]
            .map((fact) => ({ fact, order: draw() }))
            .sort((x, y) => x.order - y.order);
          const batches: Outgoing[][] = [];
          while (arriving.length > 0) batches.push(...byTopic(arriving.splice(0, 1 + (draw() % 12)).map(({ fact }) => fact)));
          const isCatalog = (batch: Outgoing[]): boolean => batch[0]?.contract.topic === TOPICS.catalog;
          // Four at a time, as the partitions of two replicas are; the catalog is one partition, so one batch at a time.
          const lanes = [
            batches.filter(isCatalog),
            ...[0, 1, 2].map((lane) => batches.filter((batch, i) => !isCatalog(batch) && i % 3 === lane)),
          ];
          await Promise.all(
            lanes.map(async (lane, i) => {
              for (const batch of lane) retries += (await (replicas[i % 2] as World).deliver(batch)).attempts - 1;
            }),
          );
          for (const replica of replicas) await replica.sweep();
          const found = [...(await newest(replicas[0] as World, tenants))].map(([id, revised]) => [id, summaryOf(revised)] as const);
          const expected = [...reference(facts, settled)];
          expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expected));
        }),
        { numRuns: Number(process.env['SHUFFLE_RUNS'] ?? 25), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
      );
      expect(retries).toBe(0);
    },
    120_000,
  );
});
