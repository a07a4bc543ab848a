import { PlanChanged, VerdictGiven, type VerdictGivenData } from '@baton/contracts';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { checkTenancy, eventually, ownPrefix, stores } from '@baton/testing';
import * as fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { LedgerFixture } from './specs/ledger.fixture';
import { aCredit } from './specs/samples';

jest.setTimeout(60_000);

const PARTNER = aCredit().partnerId;
const DAY_MS = 86_400_000;
const ledger = new LedgerFixture();
let db: TestDatabase;
beforeAll(async () => {
  db = await testDatabase('reward-fulfillment', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
  ledger.open(db);
});
afterAll(async () => {
  await ledger.close();
  await db.drop();
});
afterEach(async () => expect(await ledger.brokenInvariants()).toEqual([]));

describe('a verdict', () => {
  it('accrues once, however often it comes, and older ones change nothing', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    await ledger.verdicts(t.verdict({ revision: 2, netAmountMinor: 6_000 }), t.verdict({ revision: 1 }));
    await ledger.verdicts(t.verdict({ revision: 1 }));
    await ledger.verdicts(t.verdict({ revision: 2, netAmountMinor: 6_000 }));
    expect(await ledger.balances(t.tenantId)).toEqual({
      [`partner:${PARTNER}:held EUR`]: 600,
      [`program:${t.programId}:expense EUR`]: -600,
    });
    expect(await ledger.events(t.tenantId)).toMatchObject([
      { sequence: 1, state: 'held', amountMinor: 600, planVersion: 1, attributionRevision: 2, reason: 'accrued' },
    ]);
  });

  it('that waits for its program is settled when the catalog brings it, and is nobody’s dead letter', async () => {
    const t = ledger.tenant();
    await ledger.verdicts(t.verdict());
    expect(await ledger.balances(t.tenantId)).toEqual({});
    expect((await ledger.worker.untenanted((tx) => ledger.settling.revisits.pulse(tx))).awaitingTerms).toBe(1);
    await ledger.plans(t.plan());
    await ledger.programs(t.program());
    await ledger.sweep().once();
    expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:held EUR`]).toBe(1_200);
  });

  it('follows a version of its plan that was in force and arrives late', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    await ledger.verdicts(t.verdict());
    await ledger.plans(
      t.plan({ version: 3, basisPoints: 5_000, validFrom: '2026-02-01T00:00:00.000Z' }),
      t.plan({ version: 2, basisPoints: 2_000, validFrom: '2026-01-15T00:00:00.000Z' }),
    );
    await ledger.sweep().once();
    expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:held EUR`]).toBe(2_400);
    expect((await ledger.events(t.tenantId)).map((e) => [e.planVersion, e.reason])).toEqual([
      [1, 'accrued'],
      [2, 'terms_changed'],
    ]);
  });

  it('and the terms it needs, committed at once, never miss each other', async () => {
    for (const first of ['verdict', 'plan'] as const) {
      const t = ledger.tenant();
      await ledger.programs(t.program());
      const reached = barrier();
      const go = barrier();
      const steps = { verdict: [VerdictGiven, t.verdict()], plan: [PlanChanged, t.plan()] } as const;
      const second = first === 'verdict' ? 'plan' : 'verdict';
      // The first has done all its work and has not committed; the second begins, and must not pass it by.
      const one = ledger.worker.transaction([t.tenantId], async (tx) => {
        await ledger.handleIn(tx, steps[first][0] as never, [steps[first][1]] as never);
        reached.open();
        await go.passed;
      });
      await reached.passed;
      const two = ledger.handle(steps[second][0] as never, [steps[second][1]] as never);
      await waitsForALock();
      go.open();
      await Promise.all([one, two]);
      await ledger.sweep().once();
      expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:held EUR`]).toBe(1_200);
    }
  });
});

describe('the gates of terms', () => {
  it('let nobody pass new terms that wait, so that verdicts without end do not keep them out', async () => {
    const { conversions } = ledger.settling;
    const program = [{ tenantId: randomUUID(), programId: randomUUID() }];
    const order: string[] = [];
    const reached = barrier();
    const go = barrier();
    const first = ledger.worker.untenanted(async (tx) => {
      await conversions.shareGates(tx, program);
      reached.open();
      await go.passed;
    });
    await reached.passed;
    const terms = ledger.worker.untenanted((tx) => conversions.closeGates(tx, program).then(() => order.push('terms')));
    await waitsForALock(1);
    const second = ledger.worker.untenanted((tx) => conversions.shareGates(tx, program).then(() => order.push('verdict')));
    await waitsForALock(2);
    go.open();
    await Promise.all([first, terms, second]);
    expect(order).toEqual(['terms', 'verdict']);
  });
});

describe('a hold', () => {
  it('is released once by many sweeps at once, and not before its end', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program({ holdDays: 7 }));
    await ledger.plans(t.plan());
    const conversionIds = Array.from({ length: 30 }, () => randomUUID());
    await ledger.verdicts(...conversionIds.map((conversionId) => t.verdict({ conversionId })));
    const end = Date.parse(t.verdict().attribution.conversion.occurredAt) + 7 * DAY_MS;
    const before = ledger.nowMs;
    try {
      ledger.nowMs = end - 1;
      await ledger.sweep().once();
      expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:payable EUR`]).toBeUndefined();
      ledger.nowMs = end;
      await Promise.all([1, 2, 3].map(() => ledger.sweep().once()));
      await ledger.sweep().once();
    } finally {
      ledger.nowMs = before;
    }
    expect(await ledger.balances(t.tenantId)).toEqual({
      [`partner:${PARTNER}:payable EUR`]: 36_000,
      [`program:${t.programId}:expense EUR`]: -36_000,
    });
    const events = await ledger.events(t.tenantId);
    expect(events.filter((e) => e.reason === 'released')).toHaveLength(30);
    expect(new Set(events.map((e) => `${e.rewardId}:${e.sequence}`)).size).toBe(60);
  });
});

describe('a sweep', () => {
  it('settles the others when one conversion cannot be, and comes back to it later', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program({ holdDays: 1 }));
    await ledger.plans(t.plan());
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    const late = '2026-02-01T12:00:00.000Z';
    await ledger.verdicts(...ids.map((conversionId) => t.verdict({ conversionId, occurredAt: late })));
    await ledger.admin.untenanted((tx) =>
      tx.$executeRawUnsafe(
        `UPDATE conversions SET verdict = jsonb_set(verdict, '{attribution,credits}', '"broken"') WHERE conversion_id = $1::uuid`,
        ids[1],
      ),
    );
    const before = ledger.nowMs;
    try {
      ledger.nowMs = Date.parse(late) + DAY_MS;
      expect(await ledger.sweep().once()).toBe(3);
      expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:payable EUR`]).toBe(2_400);
      expect(await ledger.sweep().once()).toBe(0);
      await ledger.admin.untenanted((tx) =>
        tx.$executeRawUnsafe(
          `UPDATE conversions SET verdict = jsonb_set(verdict, '{attribution,credits}', $2::jsonb) WHERE conversion_id = $1::uuid`,
          ids[1],
          JSON.stringify(t.verdict().attribution.credits),
        ),
      );
      ledger.nowMs += 61_000;
      expect(await ledger.sweep().once()).toBe(1);
    } finally {
      ledger.nowMs = before;
    }
    expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:payable EUR`]).toBe(3_600);
  });
});

describe('the ledger', () => {
  it('refuses to change or delete an entry, for runtime roles and for the owner of the database too', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    await ledger.verdicts(t.verdict());
    for (const statement of ['UPDATE entries SET amount_minor = 1', 'DELETE FROM entries', 'DELETE FROM postings', 'TRUNCATE entries']) {
      await expect(ledger.worker.transaction([t.tenantId], (tx) => tx.$executeRawUnsafe(statement))).rejects.toThrow(
        /permission denied|42501/,
      );
      await expect(
        ledger.admin.untenanted((tx) => tx.$executeRawUnsafe(statement.replace('TRUNCATE entries', 'TRUNCATE entries CASCADE'))),
      ).rejects.toThrow(/append-only/);
    }
  });

  it('refuses a posting that does not balance', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    await ledger.verdicts(t.verdict());
    const [event] = await ledger.events(t.tenantId);
    await expect(
      ledger.worker.transaction([t.tenantId], async (tx) => {
        await tx.$executeRawUnsafe(
          `INSERT INTO postings SELECT tenant_id, reward_id, 99, 'planted', hold_until, 1, 1, now() FROM postings WHERE reward_id = $1::uuid`,
          event?.rewardId,
        );
        await tx.$executeRawUnsafe(
          `INSERT INTO entries VALUES ($1::uuid, $2::uuid, 99, 'partner:x:held', 'EUR', 5)`,
          t.tenantId,
          event?.rewardId,
        );
      }),
    ).rejects.toThrow(/leaves 5 minor units of EUR unaccounted for/);
  });

  it('ends in the same balances for any order, repetition and batching of the same verdicts and terms', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 12, maxLength: 12 }), fc.integer({ min: 1, max: 5 }), async (order, size) => {
        const t = ledger.tenant();
        const conversions = [randomUUID(), randomUUID(), randomUUID()];
        const verdicts = conversions.flatMap((conversionId, c) => [
          t.verdict({ conversionId, revision: 1 }),
          t.verdict({ conversionId, revision: 1, seq: 2, decision: 'held' }),
          t.verdict({ conversionId, revision: 2, decision: c === 1 ? 'rejected' : 'approved', netAmountMinor: c === 2 ? 3_333 : 12_000 }),
        ]);
        const steps: (() => Promise<void>)[] = [
          () => ledger.programs(t.program()),
          () => ledger.plans(t.plan()),
          () => ledger.plans(t.plan({ version: 2, basisPoints: 1_500, validFrom: '2026-01-20T00:00:00.000Z' })),
        ];
        const shuffled = [...verdicts, ...verdicts.slice(0, 3)]
          .map((verdict, i) => ({ verdict, at: (order[i % order.length] as number) * 13 + i }))
          .sort((a, b) => a.at - b.at);
        for (let from = 0; from < shuffled.length; from += size)
          steps.push(() => ledger.verdicts(...shuffled.slice(from, from + size).map((s) => s.verdict)));
        const ordered = steps.map((step, i) => ({ step, at: (order[(i * 5) % order.length] as number) + i })).sort((a, b) => a.at - b.at);
        for (const { step } of ordered) await step();
        while ((await ledger.sweep().once()) > 0);
        expect(await ledger.balances(t.tenantId)).toEqual({
          [`partner:${PARTNER}:held EUR`]: 1_800 + 500,
          [`program:${t.programId}:expense EUR`]: -2_300,
        });
      }),
      { numRuns: 12 },
    );
  });

  it('survives two batches with the same conversions in opposite order, at once', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    const ids = Array.from({ length: 40 }, () => randomUUID());
    const batch = (revision: number): VerdictGivenData[] =>
      ids.map((conversionId) => t.verdict({ conversionId, revision, netAmountMinor: 1_000 * revision }));
    await Promise.all(
      [1, 2, 3, 4].flatMap((revision) => [ledger.verdicts(...batch(revision)), ledger.verdicts(...batch(revision).reverse())]),
    );
    expect((await ledger.balances(t.tenantId))[`partner:${PARTNER}:held EUR`]).toBe(40 * 400);
  });

  it('has the same hash after every verdict came again', async () => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    await ledger.verdicts(t.verdict());
    const hash = await ledger.ledgerHash();
    await ledger.verdicts(t.verdict());
    await ledger.programs(t.program());
    await ledger.sweep().once();
    expect(await ledger.ledgerHash()).toBe(hash);
    await ledger.verdicts(t.verdict({ revision: 2, netAmountMinor: 11_990 }));
    expect(await ledger.ledgerHash()).not.toBe(hash);
  });
});

describe('tenancy', () => {
  it('shows and lets each role write its own tenants’ rows alone, in every table', async () => {
    const { tables, problems } = await checkTenancy(db);
    expect(problems).toEqual([]);
    expect(tables).toEqual(['balances', 'catalog_entities', 'conversions', 'entries', 'postings', 'rewards']);
  });
});

describe('the invariants', () => {
  const lonely = [
    `ALTER TABLE entries DISABLE TRIGGER entries_balance`,
    `INSERT INTO entries SELECT tenant_id, reward_id, sequence, 'partner:x:held', currency, 7 FROM entries WHERE tenant_id = $1::uuid LIMIT 1`,
  ];
  it.each([
    ['I1', lonely],
    ['I2', lonely],
    ['I3', [`UPDATE balances SET amount_minor = amount_minor + 1 WHERE tenant_id = $1::uuid`]],
    ['I4', [`ALTER TABLE entries DISABLE TRIGGER entries_append_only`]],
    ['I4', [`GRANT UPDATE ON entries TO baton_reward_fulfillment_worker`]],
    ['I5', [`UPDATE rewards SET amount_minor = amount_minor + 1 WHERE tenant_id = $1::uuid`]],
    ['I8', [`UPDATE rewards SET state = 'payable', hold_until = now() + interval '1 day' WHERE tenant_id = $1::uuid`]],
  ])('notice when %s is broken', async (name, sabotage) => {
    const t = ledger.tenant();
    await ledger.programs(t.program());
    await ledger.plans(t.plan());
    await ledger.verdicts(t.verdict());
    class Undone extends Error {}
    const broken = ledger.admin.untenanted(async (tx) => {
      for (const statement of sabotage) await tx.$executeRawUnsafe(statement, ...(statement.includes('$1') ? [t.tenantId] : []));
      const rows = await tx.$queryRawUnsafe<{ invariant: string }[]>(`SELECT invariant FROM baton_ledger_invariants() WHERE broken > 0`);
      throw new Undone(rows.map((row) => row.invariant.slice(0, 2)).join());
    });
    await expect(broken).rejects.toThrow(new RegExp(name));
  });
});

const barrier = () => {
  let open!: () => void;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { open, passed };
};

const waitsForALock = (count = 1) =>
  eventually(async () => {
    const rows = await ledger.admin.untenanted((tx) =>
      tx.$queryRawUnsafe<{ n: number }[]>(
        `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
      ),
    );
    return rows[0]?.n === count;
  });
