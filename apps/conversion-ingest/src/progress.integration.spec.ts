import {
  AttributionRevised,
  type AttributionRevisedData,
  emit,
  type Outgoing,
  type Received,
  RewardChanged,
  type RewardChangedData,
  VerdictGiven,
  type VerdictGivenData,
} from '@baton/contracts';
import { createLog, type Database, openDatabase } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { conversionIdOf } from './domain';
import { type Account, apiKey, type Json, openWorld, type World } from './ingest.world';
import { progressRoutes } from './progress.routes';
import { progressStore } from './progress.store';

const PARTNER = '33333333-3333-4333-8333-333333333333';
const PARTNERS = [PARTNER, '33333333-3333-4333-8333-333333333334'] as const;

const attribution = (tenantId: string, conversionId: string, revision: number, more: Partial<AttributionRevisedData> = {}) => ({
  ...AttributionRevised.sample,
  tenantId,
  conversionId,
  revision,
  decidedAt: new Date(Date.UTC(2026, 1, 1, 0, revision)).toISOString(),
  ...more,
});
const verdict = (
  tenantId: string,
  conversionId: string,
  attributionRevision: number,
  verdictSeq: number,
  more: Partial<VerdictGivenData> = {},
) => ({
  ...VerdictGiven.sample,
  tenantId,
  conversionId,
  attributionRevision,
  verdictSeq,
  attribution: attribution(tenantId, conversionId, attributionRevision),
  score: attributionRevision * 10 + verdictSeq,
  ...more,
});
const reward = (tenantId: string, conversionId: string, rewardId: string, sequence: number, more: Partial<RewardChangedData> = {}) => ({
  ...RewardChanged.sample,
  tenantId,
  conversionId,
  rewardId,
  sequence,
  amountMinor: sequence * 100,
  ...more,
});

describe('receipts that follow', () => {
  const prefix = ownPrefix();
  let db: TestDatabase;
  let world: World;
  let worker: Database;
  let api: Database;
  let acme: Account;
  let other: Account;
  let testKey: string;

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    const log = createLog('test', 'silent');
    worker = openDatabase({ url: db.worker, poolMax: 8, log });
    api = openDatabase({ url: db.api, poolMax: 2, log });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    other = await world.account(12);
    const ofTests = apiKey(acme.tenantId, { test: true });
    testKey = ofTests.text;
    await world.publish([ofTests.event]);
    for (const key of [acme.key, other.key, testKey]) await eventually(() => world.knows(key), 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await worker?.close();
    await api?.close();
    await db?.drop();
  }, 60_000);

  const receiptOf = async (answer: Json, key = acme.key, replica = 0) =>
    (await world.call(`/v1/receipts/${answer['receipt_id'] as string}`, undefined, { key, replica })).json;
  const progressIn = (receipt: Json) => receipt['progress'] as Record<string, Json | null> & { rewards: Json[] };
  const told = (answer: Json, key = acme.key) =>
    eventually(async () => {
      const receipts = await Promise.all([0, 1].map((replica) => receiptOf(answer, key, replica)));
      for (const receipt of receipts) {
        const { attribution, fraud } = progressIn(receipt);
        if (!attribution || !fraud) throw new Error('not told yet');
      }
      expect(receipts[0]).toEqual(receipts[1]);
      return receipts[0] as Json;
    }, 20_000);

  it('tells at both replicas what became of a conversion, and the repeat of its request still gets the first answer to the letter', async () => {
    const body = { external_id: `o-${randomUUID()}`, customer_id: 'c', amount_minor: 12_000, currency: 'EUR' };
    const first = await world.call('/v1/conversions', body, { key: acme.key });
    const id = first.json['conversion_id'] as string;
    expect(await receiptOf(first.json)).toEqual({
      ...first.json,
      progress: { attribution: null, fraud: null, rewards: [], payout: null, net_amount_minor: null, reversals: [] },
    });
    const rewardId = randomUUID();
    await world.publish([
      emit(RewardChanged, reward(acme.tenantId, id, rewardId, 2, { state: 'payable', amountMinor: 1_000 })),
      emit(RewardChanged, reward(acme.tenantId, id, rewardId, 1)),
    ]);
    await eventually(async () => progressIn(await receiptOf(first.json)).rewards.length === 1, 20_000);
    await world.publish([
      emit(AttributionRevised, attribution(acme.tenantId, id, 1)),
      emit(VerdictGiven, verdict(acme.tenantId, id, 1, 1, { decision: 'held', score: 60 })),
    ]);
    const receipt = await told(first.json);
    expect(receipt).toEqual({
      ...first.json,
      progress: {
        attribution: {
          revision: 1,
          outcome: 'attributed',
          reason: 'credited',
          partner_ids: [PARTNER],
          credits: [
            {
              partner_id: PARTNER,
              link_id: expect.any(String),
              click_id: expect.any(String),
              share: { numerator: 1, denominator: 1 },
              evidence: 'click_id',
            },
          ],
          decided_at: '2026-02-01T00:01:00.000Z',
        },
        fraud: { attribution_revision: 1, decision: 'held', score: 60, reasons: [], decided_at: expect.any(String) },
        rewards: [
          {
            reward_id: rewardId,
            partner_id: PARTNER,
            beneficiary: 'partner',
            state: 'payable',
            amount_minor: 1_000,
            currency: 'EUR',
            hold_until: expect.any(String),
            reason: 'accrued',
            changed_at: expect.any(String),
          },
        ],
        payout: { state: 'payable', paid: [], changed_at: expect.any(String) },
        net_amount_minor: 10_000,
        reversals: [{ reversal_id: expect.any(String), amount_minor: 2_000, occurred_at: expect.any(String) }],
      },
    });
    expect((await world.call('/v1/conversions', body, { key: acme.key, replica: 1 })).text).toBe(first.text);
    const reversal = await world.call('/v1/reversals', { external_id: body.external_id }, { key: acme.key });
    expect(await receiptOf(reversal.json)).toEqual({ ...reversal.json, progress: receipt['progress'] });
    const all = await world.call(`/v1/receipts?external_id=${body.external_id}`, undefined, { key: acme.key });
    expect(all.json['receipts']).toEqual([receipt, { ...reversal.json, progress: receipt['progress'] }]);
    expect((await world.call(`/v1/receipts/${first.json['receipt_id'] as string}`, undefined, { key: other.key })).status).toBe(404);
  });

  it('has no progress for an identity or a refusal', async () => {
    const identity = await world.call('/v1/identities', { customer_id: 'c', visitor_id: 'v' }, { key: acme.key });
    expect(await receiptOf(identity.json)).toEqual(identity.json);
    const refused = await world.convert({ customer_id: null }, { key: acme.key });
    expect(await receiptOf(refused.json)).not.toHaveProperty('progress');
  });

  it('shows the progress of a test conversion, and never a reward', async () => {
    const first = await world.convert({}, { key: testKey });
    const id = first.json['conversion_id'] as string;
    const conversion = { ...AttributionRevised.sample.conversion, test: true };
    await world.publish([
      emit(RewardChanged, reward(acme.tenantId, id, randomUUID(), 1, { state: 'paid' })),
      emit(AttributionRevised, attribution(acme.tenantId, id, 1, { conversion })),
      emit(VerdictGiven, verdict(acme.tenantId, id, 1, 1)),
    ]);
    await eventually(async () => (await world.rows('SELECT 1 FROM reward_states WHERE conversion_id = $1', id)).length === 1, 20_000);
    expect(progressIn(await told(first.json, testKey))).toMatchObject({
      attribution: { outcome: 'attributed' },
      rewards: [],
      payout: null,
    });
  });

  it('keeps the newest of each, whatever comes in any order, twice, in any batches and at once', async () => {
    const tenants = [randomUUID(), randomUUID()] as const;
    const rewards = [randomUUID(), randomUUID()] as const;
    const some = fc.record({
      kind: fc.constantFrom('attribution', 'verdict', 'reward'),
      tenant: fc.nat(1),
      conversion: fc.nat(2),
      high: fc.integer({ min: 1, max: 4 }),
      low: fc.integer({ min: 1, max: 3 }),
      reward: fc.nat(1),
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(some, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 }), async (batches) => {
        round++;
        const idOf = (tenant: number, n: number) => conversionIdOf(tenants[tenant] as string, `${round}-${n}`);
        const made = batches.map((batch) =>
          batch.map(({ kind, tenant, conversion, high, low, reward: r }): Outgoing => {
            const [tenantId, id] = [tenants[tenant] as string, idOf(tenant, conversion)];
            if (kind === 'attribution') return emit(AttributionRevised, attribution(tenantId, id, high));
            if (kind === 'verdict') return emit(VerdictGiven, verdict(tenantId, id, high, low));
            return emit(RewardChanged, reward(tenantId, id, rewards[r] as string, high * 3 + low, { partnerId: PARTNERS[r] as string }));
          }),
        );
        await Promise.all(made.map((batch) => apply(worker, tenants, batch)));
        for (const [tenant, tenantId] of tenants.entries())
          for (const n of [0, 1, 2]) {
            const id = idOf(tenant, n);
            const own = batches.flat().filter((one) => one.tenant === tenant && one.conversion === n);
            const best = (kind: string, of: (one: (typeof own)[0]) => number, r?: number) =>
              Math.max(0, ...own.filter((one) => one.kind === kind && (r === undefined || one.reward === r)).map(of));
            const kept = await api.transaction([tenantId], async (tx) => (await progressStore.of(tx, [id])).get(id));
            expect(kept?.attribution?.revision ?? 0).toBe(best('attribution', (one) => one.high));
            expect(kept?.verdict?.score ?? 0).toBe(best('verdict', (one) => one.high * 10 + one.low));
            for (const r of [0, 1])
              expect(kept?.rewards.find((one) => one.rewardId === rewards[r])?.amountMinor ?? 0).toBe(
                best('reward', (one) => (one.high * 3 + one.low) * 100, r),
              );
          }
      }),
      { numRuns: 40, endOnFailure: true },
    );
  }, 60_000);
});

/** As a consumer does: one transaction a batch, each route its own events. */
const apply = (database: Database, tenants: readonly string[], batch: readonly Outgoing[]) =>
  database.transaction(tenants, async (tx) => {
    for (const route of progressRoutes(progressStore)) {
      const events = batch.filter(({ contract }) => contract.ceType === route.contract.ceType) as unknown as Received[];
      if (events.length > 0) await route.handle(events, tx);
    }
  });
