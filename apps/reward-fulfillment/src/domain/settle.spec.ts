import * as fc from 'fast-check';
import type { PlanData, ProgramData, VerdictGivenData } from '@baton/contracts';
import { aCredit, aPlan, aProgram, aVerdict } from '../specs/samples';
import type { Bucket, Change, Entry, Holding, Reward } from './reward';
import { settle } from './settle';

const CONVERTED_AT_MS = Date.parse('2026-01-31T12:05:00.000Z');
const DAY_MS = 86_400_000;
const HELD_MS = CONVERTED_AT_MS + DAY_MS;
const RELEASED_MS = CONVERTED_AT_MS + 31 * DAY_MS;
const OTHER_PARTNER = '33333333-3333-4333-8333-333333333334';
const OTHER_CLICK = 'EQAAAAABAZwT7J4AAAAAAnz1bjrKrKhK';

/** What a ledger is: rewards as they stand, and every entry ever made. */
interface Ledger {
  readonly rewards: readonly Reward[];
  readonly entries: readonly (Entry & { readonly rewardId: string })[];
}
const EMPTY: Ledger = { rewards: [], entries: [] };
interface Terms {
  readonly program?: ProgramData | null;
  readonly plans?: readonly PlanData[];
}

function after(
  ledger: Ledger,
  verdict: VerdictGivenData,
  nowMs: number,
  { program = aProgram(), plans = [aPlan()] }: Terms = {},
): Ledger & { readonly changes: readonly Change[] } {
  const { changes } = settle({ verdict, program, plans, rewards: ledger.rewards, holdings: holdingsOf(ledger), nowMs });
  const changed = new Set(changes.map((change) => change.reward.rewardId));
  return {
    changes,
    rewards: [...ledger.rewards.filter((reward) => !changed.has(reward.rewardId)), ...changes.map((change) => change.reward)],
    entries: [
      ...ledger.entries,
      ...changes.flatMap((change) => change.entries.map((entry) => ({ ...entry, rewardId: change.reward.rewardId }))),
    ],
  };
}

function holdingsOf({ entries }: Ledger): Holding[] {
  return entries.flatMap(({ rewardId, account, currency, amountMinor }) => {
    const bucket = account.split(':')[2] as Bucket | 'expense';
    return bucket === 'expense' ? [] : [{ rewardId, bucket, currency, amountMinor }];
  });
}

function balancesOf({ entries }: Ledger): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { account, currency, amountMinor } of entries)
    sums[`${account} ${currency}`] = (sums[`${account} ${currency}`] ?? 0) + amountMinor;
  return Object.fromEntries(
    Object.entries(sums)
      .filter(([, sum]) => sum !== 0)
      .sort(),
  );
}

describe('a conversion that earns', () => {
  it('is accrued once as held, with an equal expense of the program', () => {
    const { changes, ...ledger } = after(EMPTY, aVerdict(), HELD_MS);
    expect(changes).toMatchObject([
      {
        reason: 'accrued',
        reward: {
          sequence: 1,
          state: 'held',
          amountMinor: 1_200,
          currency: 'EUR',
          planVersion: 1,
          holdUntilMs: CONVERTED_AT_MS + 30 * DAY_MS,
        },
      },
    ]);
    expect(balancesOf(ledger)).toEqual({
      [`partner:${aCredit().partnerId}:held EUR`]: 1_200,
      [`program:${aPlan().programId}:expense EUR`]: -1_200,
    });
    expect(after(ledger, aVerdict(), HELD_MS).changes).toEqual([]);
  });

  it('becomes payable when its hold ends, once, and not a millisecond sooner', () => {
    const held = after(EMPTY, aVerdict(), HELD_MS);
    const holdUntilMs = CONVERTED_AT_MS + 30 * DAY_MS;
    expect(after(held, aVerdict(), holdUntilMs - 1).changes).toEqual([]);
    const released = after(held, aVerdict(), holdUntilMs);
    expect(released.changes).toMatchObject([{ reason: 'released', reward: { sequence: 2, state: 'payable', amountMinor: 1_200 } }]);
    expect(released.changes[0]?.entries).toEqual([
      { account: `partner:${aCredit().partnerId}:held`, currency: 'EUR', amountMinor: -1_200 },
      { account: `partner:${aCredit().partnerId}:payable`, currency: 'EUR', amountMinor: 1_200 },
    ]);
    expect(after(released, aVerdict(), RELEASED_MS).changes).toEqual([]);
  });

  it('says when to look again: when the hold ends, and never for a reviewer to wait on', () => {
    const facts = { program: aProgram(), plans: [aPlan()], rewards: [], holdings: [], nowMs: HELD_MS };
    expect(settle({ ...facts, verdict: aVerdict() }).revisitAtMs).toBe(CONVERTED_AT_MS + 30 * DAY_MS);
    expect(settle({ ...facts, verdict: aVerdict({ decision: 'held' }) }).revisitAtMs).toBeNull();
    expect(settle({ ...facts, verdict: aVerdict(), nowMs: RELEASED_MS }).revisitAtMs).toBeNull();
  });

  it('stays held past its hold while fraud scoring holds it, and is payable once it is approved', () => {
    const held = after(EMPTY, aVerdict({ decision: 'held' }), RELEASED_MS);
    expect(held.changes).toMatchObject([{ reward: { state: 'held' } }]);
    expect(after(held, aVerdict({ seq: 2 }), RELEASED_MS).changes).toMatchObject([{ reason: 'released', reward: { state: 'payable' } }]);
  });

  it('gives the difference back from what is payable', () => {
    const payable = after(EMPTY, aVerdict(), RELEASED_MS);
    const refunded = after(payable, aVerdict({ revision: 2, netAmountMinor: 5_000 }), RELEASED_MS);
    expect(refunded.changes).toMatchObject([{ reason: 'refunded', reward: { state: 'payable', amountMinor: 500 } }]);
    expect(refunded.changes[0]?.entries).toContainEqual({
      account: `partner:${aCredit().partnerId}:payable`,
      currency: 'EUR',
      amountMinor: -700,
    });
  });

  it('waits for terms that are not known yet', () => {
    const verdict = aVerdict();
    expect(settle({ verdict, program: null, plans: [], rewards: [], holdings: [], nowMs: HELD_MS })).toEqual({
      changes: [],
      revisitAtMs: null,
      awaitsTerms: true,
    });
    expect(
      settle({ verdict: aVerdict({ test: true }), program: null, plans: [], rewards: [], holdings: [], nowMs: HELD_MS }).awaitsTerms,
    ).toBe(false);
  });

  it('follows a version of its plan that arrives late', () => {
    const accrued = after(EMPTY, aVerdict(), HELD_MS);
    const later = after(accrued, aVerdict(), HELD_MS, { plans: [aPlan({ version: 2, basisPoints: 2_000 })] });
    expect(later.changes).toMatchObject([{ reason: 'terms_changed', reward: { planVersion: 2, amountMinor: 2_400 } }]);
  });

  it('pays in the currency of a flat plan, also when that changes', () => {
    const euro = after(EMPTY, aVerdict(), HELD_MS, { plans: [aPlan({ kind: 'flat', amountMinor: 500, currency: 'EUR' })] });
    const yen = after(euro, aVerdict(), HELD_MS, { plans: [aPlan({ version: 2, kind: 'flat', amountMinor: 900, currency: 'JPY' })] });
    expect(balancesOf(yen)).toEqual({
      [`partner:${aCredit().partnerId}:held JPY`]: 900,
      [`program:${aPlan().programId}:expense JPY`]: -900,
    });
  });
});

describe('a conversion that earns nothing', () => {
  it.each([
    ['rejected', { decision: 'rejected' }],
    ['unattributed', { outcome: 'unattributed' }],
    ['unattributed', { outcome: 'pending' }],
    ['test', { test: true }],
    ['refunded', { netAmountMinor: 0 }],
    ['reattributed', { credits: [aCredit({ partnerId: OTHER_PARTNER })] }],
    ['terms_changed', { type: 'lead' }],
  ] as const)('voids what it had: %s', (reason, words) => {
    const accrued = after(EMPTY, aVerdict(), RELEASED_MS);
    const voided = after(accrued, aVerdict({ revision: 2, ...words }), RELEASED_MS);
    expect(voided.changes).toContainEqual(
      expect.objectContaining({
        reason,
        reward: expect.objectContaining({ state: 'voided', amountMinor: 0, partnerId: aCredit().partnerId }) as Reward,
      }),
    );
    expect(balancesOf(voided)[`partner:${aCredit().partnerId}:payable EUR`]).toBeUndefined();
    expect(balancesOf(after(EMPTY, aVerdict({ revision: 2, ...words }), RELEASED_MS))).toEqual(balancesOf(voided));
  });

  it('may come back by a later revision', () => {
    const voided = after(after(EMPTY, aVerdict(), HELD_MS), aVerdict({ seq: 2, decision: 'rejected' }), HELD_MS);
    expect(after(voided, aVerdict({ seq: 3 }), HELD_MS).changes).toMatchObject([
      { reason: 'accrued', reward: { sequence: 3, state: 'held', amountMinor: 1_200 } },
    ]);
  });

  it('takes back a lead without an amount as a whole', () => {
    const plans = [aPlan({ kind: 'flat', amountMinor: 500, currency: 'EUR', conversionTypes: ['lead'] })];
    const lead = aVerdict({ type: 'lead', amountMinor: 0 });
    const accrued = after(EMPTY, lead, HELD_MS, { plans });
    expect(accrued.changes).toMatchObject([{ reward: { amountMinor: 500 } }]);
    const conversion = {
      ...lead.attribution.conversion,
      reversals: [{ reversalId: '88888888-8888-8888-8888-888888888888', amountMinor: 0, occurredAt: '2026-02-02T09:00:00.000Z' }],
    };
    expect(
      balancesOf(after(accrued, { ...lead, attributionRevision: 2, attribution: { ...lead.attribution, conversion } }, HELD_MS, { plans })),
    ).toEqual({});
  });
});

describe('whatever the order', () => {
  const plans = [
    aPlan(),
    aPlan({ id: 'dddddddd-dddd-4ddd-8ddd-ddddddddddde', kind: 'flat', amountMinor: 333, currency: 'USD', conversionTypes: [] }),
  ];
  const verdicts = fc.record({
    decision: fc.constantFrom('approved' as const, 'held' as const, 'rejected' as const),
    outcome: fc.constantFrom('attributed' as const, 'attributed' as const, 'attributed' as const, 'unattributed' as const),
    net: fc.integer({ min: 0, max: 12_000 }),
    credits: fc.constantFrom(
      [aCredit()],
      [aCredit({ partnerId: OTHER_PARTNER })],
      [
        aCredit({ shareDenominator: 3 }),
        aCredit({ partnerId: OTHER_PARTNER, clickId: OTHER_CLICK, shareNumerator: 2, shareDenominator: 3 }),
      ],
    ),
    nowMs: fc.constantFrom(HELD_MS, RELEASED_MS),
  });

  it('verdicts with duplicates end in the balances of the newest alone, and every posting sums to zero', () => {
    fc.assert(
      fc.property(fc.array(verdicts, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(), { maxLength: 20 }), (list, order) => {
        const all = list.map((words, i) =>
          aVerdict({
            revision: 1 + (i >> 1),
            seq: 1 + (i & 1),
            decision: words.decision,
            outcome: words.outcome,
            netAmountMinor: words.net,
            credits: words.credits,
          }),
        );
        const shuffled = [...order.map((n) => n % all.length), all.length - 1];
        let ledger = EMPTY;
        let newest = -1;
        for (const index of shuffled) {
          // What the store does: a verdict that is not newer is not settled again.
          newest = Math.max(newest, index);
          const step = after(ledger, all[newest] as VerdictGivenData, RELEASED_MS - (order.length % 2) * 30 * DAY_MS, { plans });
          for (const { entries } of step.changes)
            for (const currency of ['EUR', 'USD'])
              expect(entries.filter((e) => e.currency === currency).reduce((sum, e) => sum + e.amountMinor, 0)).toBe(0);
          ledger = step;
        }
        expect(balancesOf(ledger)).toEqual(
          balancesOf(after(EMPTY, all[all.length - 1] as VerdictGivenData, RELEASED_MS - (order.length % 2) * 30 * DAY_MS, { plans })),
        );
      }),
    );
  });

  it('refunds in pieces end exactly at zero', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9_000_000_000_000 }),
        fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 }),
        fc.constantFrom(...[0, 1].map((i) => plans[i] as PlanData)),
        (amountMinor, cuts, plan) => {
          const nets = [...cuts.map((cut) => Math.floor(amountMinor * cut)).sort((a, b) => b - a), 0];
          let ledger: Ledger = after(EMPTY, aVerdict({ amountMinor }), HELD_MS, { plans: [plan] });
          nets.forEach(
            (netAmountMinor, i) =>
              (ledger = after(ledger, aVerdict({ amountMinor, netAmountMinor, revision: 2 + i }), HELD_MS, { plans: [plan] })),
          );
          expect(balancesOf(ledger)).toEqual({});
        },
      ),
    );
  });
});
