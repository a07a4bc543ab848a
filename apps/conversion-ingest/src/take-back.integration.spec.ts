import { createLog, type Database, openDatabase } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { type Claim, claimConversion, claimReversal, type ReversalAsked } from './domain';
import { factStore } from './fact.store';
import { rejectionStore } from './rejection.store';
import { type SelectionStore, selections } from './selection.store';
import { type PendingClaim, settleWith } from './settle';
import { touchStore } from './touch.store';

const log = createLog('test', 'silent');
const nothingSeen = { seen: async () => new Set<string>(), remember: () => undefined };

describe('conversions and reversals that wait for them', () => {
  let db: TestDatabase;
  let database: Database;
  let admin: Client;
  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    database = openDatabase({ url: db.api, poolMax: 8, log });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
  });
  afterAll(async () => {
    await database?.close();
    await admin?.end();
    await db?.drop();
  });

  const settle = (tenantId: string, pending: readonly PendingClaim[], own: SelectionStore = selections) =>
    settleWith({
      database,
      facts: factStore,
      selections: own,
      rejections: rejectionStore,
      touches: touchStore,
      seen: nothingSeen,
      committed: () => undefined,
    })(tenantId, pending);
  const receptionOf = (tenantId: string) => ({
    tenantId,
    test: false,
    keyProgramId: null,
    receiptId: randomUUID(),
    receivedAtMs: Date.now(),
    clickIdKeys: new Map(),
    door: 'api',
  });
  const pending = (claim: Claim | { kind: 'unreadable' }): PendingClaim => {
    if (claim.kind === 'unreadable') throw new Error('unreadable');
    return { claim: claim as Claim, traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
  };
  const order = (tenantId: string, external_id: string, order_id: string | null = null) =>
    pending(
      claimConversion(
        {
          external_id,
          order_id,
          amount_minor: 100,
          currency: 'EUR',
          customer_id: 'c',
          emailHash: null,
          line_items: [{ sku: 'a', quantity: 2, amount_minor: 100 }],
        },
        receptionOf(tenantId),
      ),
    );
  const reversal = (tenantId: string, asked: ReversalAsked) => pending(claimReversal(asked, receptionOf(tenantId)));
  const kinds = (results: Awaited<ReturnType<typeof settle>>) => results.map((r) => (r instanceof Error ? r.message : r.kind));
  const sent = async (tenantId: string) =>
    (
      await admin.query<{ id: string }>(
        `SELECT (value::jsonb)->>'externalId' AS id FROM outbox WHERE topic LIKE '%reversals%' AND headers->>'ce_tenant' = $1 ORDER BY 1`,
        [tenantId],
      )
    ).rows.map(({ id }) => id);

  /** Has looked for the other, and waits before its transaction ends. */
  function slow() {
    let release!: () => void;
    const barrier = new Promise<void>((resolve) => (release = resolve));
    let arrived!: () => void;
    const looked = new Promise<void>((resolve) => (arrived = resolve));
    const wait = async <T>(result: T): Promise<T> => {
      arrived();
      await barrier;
      return result;
    };
    const slowSelections: SelectionStore = {
      ...selections,
      standingFor: async (...args) => wait(await selections.standingFor(...args)),
      stand: async (...args) => wait(await selections.stand(...args)),
    };
    return { slowSelections, looked, release };
  }
  const isWaiting = () =>
    eventually(async () => {
      const { rows } = await admin.query(
        `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      if (rows.length === 0) throw new Error('nobody waits yet');
    }, 1_500);

  it.each([
    ['the conversion first', true],
    ['the reversal first', false],
  ])('that are under way at once never miss each other: %s', async (_name, conversionFirst) => {
    const tenant = randomUUID();
    const [one, other] = [[order(tenant, 'a', 'o')], [reversal(tenant, { order_id: 'o' })]];
    const { slowSelections, looked, release } = slow();
    const first = settle(tenant, conversionFirst ? one : other, slowSelections);
    await looked;
    const second = settle(tenant, conversionFirst ? other : one);
    // Without the lock the second would not wait, and would be through before the first ends.
    await Promise.race([isWaiting().catch(() => undefined), second]);
    release();
    expect([kinds(await first), kinds(await second)]).toEqual([['accepted'], ['accepted']]);
    expect(await sent(tenant)).toEqual(['a']);
  });

  it('does not make conversions wait for one another', async () => {
    const tenant = randomUUID();
    const { slowSelections, looked, release } = slow();
    const first = settle(tenant, [order(tenant, 'a', 'o')], slowSelections);
    await looked;
    expect(kinds(await settle(tenant, [order(tenant, 'b', 'o')]))).toEqual(['accepted']);
    release();
    expect(kinds(await first)).toEqual(['accepted']);
  });

  it('end the same in any order, in any groups, with any repeats, at once: each conversion is taken back once', async () => {
    const asked: Record<string, (tenant: string) => PendingClaim> = {
      a: (t) => order(t, 'a', 'o1'),
      b: (t) => order(t, 'b', 'o1'),
      o2: (t) => order(t, 'o2'),
      kept: (t) => order(t, 'kept', 'o3'),
      byOrder: (t) => reversal(t, { order_id: 'o1' }),
      byOwnId: (t) => reversal(t, { order_id: 'o2' }),
      plain: (t) => reversal(t, { external_id: 'a' }),
      line: (t) => reversal(t, { external_id: 'kept', line_items: [{ sku: 'a', quantity: 1 }], reversal_id: 'r' }),
    };
    const names = Object.keys(asked);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...names), { maxLength: 10 }),
        fc.shuffledSubarray(names, { minLength: names.length }),
        fc.integer({ min: 1, max: 4 }),
        async (repeats, all, groupCount) => {
          const tenant = randomUUID();
          const items = [...all, ...repeats];
          const groups = Array.from({ length: groupCount }, (_, g) => items.filter((_item, i) => i % groupCount === g));
          const results = await Promise.all(
            groups.map((group) =>
              settle(
                tenant,
                group.map((name) => (asked[name] as (t: string) => PendingClaim)(tenant)),
              ),
            ),
          );
          for (const kind of results.flatMap(kinds)) expect(['accepted', 'duplicate']).toContain(kind);
          expect(await sent(tenant)).toEqual(['a', 'b', 'kept', 'o2']);
        },
      ),
      { numRuns: 40, endOnFailure: true },
    );
  }, 60_000);

  it('a selection sees the conversions of its own group, and leaves nothing behind when its group fails', async () => {
    const tenant = randomUUID();
    const results = await settle(tenant, [reversal(tenant, { customer_id: 'c' }), order(tenant, 'a'), order(tenant, 'bad\u0000')]);
    expect(results.map((r) => (r instanceof Error ? 'failed' : r.kind))).toEqual(['accepted', 'accepted', 'failed']);
    expect(await sent(tenant)).toEqual(['a']);
    const { rows } = await admin.query(`SELECT kind FROM facts WHERE tenant_id = $1 ORDER BY kind`, [tenant]);
    expect(rows.map(({ kind }) => kind as string)).toEqual(['conversion', 'reversal', 'reversals']);
  });
});
