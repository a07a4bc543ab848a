import type { AttributionRevisedData, ClickRecordedData, Outgoing, VerdictGivenData } from '@baton/contracts';
import { ClickRecorded } from '@baton/contracts';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, stores as testStores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { BURST_WINDOW_MS } from './domain/facts';
import { judge } from './domain/judge';
import { at, attribution, burst, click } from './testing/facts';
import { newestVerdicts, type World, world } from './testing/world';

/** Makes facts for a tenant; few addresses and times, so that they meet all the time. */
type Make = (tenant: string) => Outgoing[];
const seconds = fc.constantFrom(-660, -600, -599, -300, -1, 0, 1, 300);
const where = fc.constantFrom(
  {},
  {},
  {},
  {},
  { addressHash: 'other' },
  { addressHash: null },
  { network: '198.51.100.0/24' },
  { addressHash: null, network: null },
);
const someClicks = fc.tuple(seconds, fc.constantFrom(1, 5, 12, 19, 20, 21), fc.nat(3), where).map(
  ([s, count, nonce, more]): Make =>
    (t) =>
      nonce === 0 ? burst(t, at(s), count, more) : [click(t, at(s), nonce, more)],
);
const someAttribution = fc
  .tuple(fc.constantFrom('o1', 'o2', 'o3', 'o4'), fc.integer({ min: 1, max: 4 }), fc.option(seconds, { freq: 8 }), where)
  .map(([name, revision, s, credited]): Make => (t) => [attribution(t, name, revision, s === null ? null : at(s), credited)]);
const makes = fc.tuple(fc.array(someClicks, { minLength: 2, maxLength: 10 }), fc.array(someAttribution, { minLength: 2, maxLength: 12 }));

/** One fact of each id: two that differ under one id are a broken producer, not an order. */
const once = (facts: readonly Outgoing[]): Outgoing[] => [
  ...new Map(facts.map((fact) => [`${fact.contract.ceType} ${fact.data.tenantId} ${fact.contract.idOf(fact.data)}`, fact])).values(),
];
const isClick = (fact: Outgoing): boolean => fact.contract.ceType === ClickRecorded.ceType;

/** What must come out, counted one by one over all that ever came in: the newest revision of each conversion, judged once everything is known. */
function expectedOf(facts: readonly Outgoing[]): Map<string, unknown> {
  const clicks = facts.filter(isClick).map(({ data }) => data as ClickRecordedData);
  const newest = new Map<string, AttributionRevisedData>();
  for (const data of facts.filter((fact) => !isClick(fact)).map((fact) => fact.data as AttributionRevisedData)) {
    if ((newest.get(data.conversionId)?.revision ?? 0) < data.revision) newest.set(data.conversionId, data);
  }
  return new Map(
    [...newest].map(([id, revised]) => {
      const [credit] = revised.credits;
      const inWindow = clicks.filter(({ tenantId, occurredAt }) => {
        const beforeMs = Date.parse(credit?.occurredAt ?? '') - Date.parse(occurredAt);
        return tenantId === revised.tenantId && beforeMs >= 0 && beforeMs < BURST_WINDOW_MS;
      });
      const counts = {
        sameAddress: inWindow.filter(({ addressHash }) => addressHash && addressHash === credit?.addressHash).length,
        sameNetwork: inWindow.filter(({ network }) => network && network === credit?.network).length,
      };
      return [id, { revision: revised.revision, attribution: revised, ...judge({ attribution: revised, credit, counts }) }];
    }),
  );
}

describe('the same facts in any order', () => {
  let db: TestDatabase;
  let replicas: readonly World[] = [];

  beforeAll(async () => {
    db = await testDatabase('fraud-scoring', { adminUrl: testStores().postgresAdminUrl, prefix: ownPrefix() });
    replicas = [world(db.worker), world(db.worker)];
  }, 60_000);
  afterAll(async () => {
    for (const replica of replicas) await replica.close();
    await db?.drop();
  });

  it('end in the same verdicts, shuffled, repeated, cut into batches and handled by two replicas at once', async () => {
    let retries = 0;
    const decisions = new Set<string>();
    await fc.assert(
      fc.asyncProperty(makes, fc.infiniteStream(fc.nat({ max: 1_000_000 })), async (some, noise) => {
        // New ones for each run: what an earlier run left behind must not be seen.
        const tenants = [randomUUID(), randomUUID()];
        const facts = once(some.flat().flatMap((make) => tenants.flatMap(make)));
        const draw = (): number => noise.next().value as number;
        const arriving = [...facts, ...facts.filter(() => draw() % 5 === 0)]
          .map((fact) => ({ fact, order: draw() }))
          .sort((x, y) => x.order - y.order);
        const batches: Outgoing[][] = [];
        while (arriving.length > 0) {
          const batch = arriving.splice(0, 1 + (draw() % 12)).map(({ fact }) => fact);
          // As from Kafka: a batch is of one topic.
          batches.push(...[batch.filter(isClick), batch.filter((fact) => !isClick(fact))].filter(({ length }) => length > 0));
        }
        const verdicts: VerdictGivenData[] = [];
        // Four at a time, as the partitions of two replicas are.
        await Promise.all(
          [0, 1, 2, 3].map(async (lane) => {
            for (const batch of batches.filter((_, i) => i % 4 === lane)) {
              const done = await (replicas[lane % 2] as World).deliver(batch);
              retries += done.attempts - 1;
              verdicts.push(...done.verdicts);
            }
          }),
        );
        const found = [...newestVerdicts(verdicts)].map(([id, { attributionRevision, attribution: revised, decision, score, reasons }]) => {
          decisions.add(decision);
          return [id, { revision: attributionRevision, attribution: revised, decision, score, reasons }] as const;
        });
        expect(Object.fromEntries(found)).toEqual(Object.fromEntries(expectedOf(facts)));
      }),
      { numRuns: Number(process.env['SHUFFLE_RUNS'] ?? 40), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
    );
    expect(retries).toBe(0);
    expect([...decisions].sort()).toEqual(['approved', 'held']);
  }, 120_000);
});
