import { counter, createLog, type Database, openDatabase } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, stores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { type Claim, claimConversion, claimIdentity, claimReversal, claimVerification } from './domain';
import { factStore } from './fact.store';
import { rejectionStore } from './rejection.store';
import { selections } from './selection.store';
import { type PendingClaim, settleWith } from './settle';
import { touchStore } from './touch.store';

const log = createLog('test', 'silent');
const nothingSeen = { seen: async () => new Set<string>(), remember: () => undefined };

describe('a group', () => {
  let db: TestDatabase;
  let database: Database;
  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    database = openDatabase({ url: db.api, poolMax: 8, log });
  });
  afterAll(async () => {
    await database.close();
    await db.drop();
  });

  const settle = (tenantId: string, pending: readonly PendingClaim[]) =>
    settleWith({
      database,
      facts: factStore,
      selections,
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
  const order = (tenantId: string, external_id: string, amount_minor = 100) =>
    pending(claimConversion({ external_id, amount_minor, currency: 'EUR', customer_id: 'c', emailHash: null }, receptionOf(tenantId)));
  const stored = (tenantId: string) =>
    database
      .transaction([tenantId], (tx) =>
        tx.$queryRawUnsafe<{ id: string }[]>('SELECT coalesce(external_id, kind) AS id FROM facts ORDER BY 1'),
      )
      .then((rows) => rows.map((r) => r.id));
  const kinds = (results: Awaited<ReturnType<typeof settle>>) => results.map((r) => (r instanceof Error ? 'failed' : r.kind));

  it('loses nobody to a bad neighbour', async () => {
    const tenant = randomUUID();
    const results = await settle(
      tenant,
      ['a', 'b', 'bad\u0000', 'c', 'd'].map((id) => order(tenant, id)),
    );
    expect(kinds(results)).toEqual(['accepted', 'accepted', 'failed', 'accepted', 'accepted']);
    expect(await stored(tenant)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('judges the second of an id against the first, in one group as over two', async () => {
    const tenant = randomUUID();
    expect(kinds(await settle(tenant, [order(tenant, 'a'), order(tenant, 'a'), order(tenant, 'a', 7)]))).toEqual([
      'accepted',
      'duplicate',
      'conflict',
    ]);
    expect(kinds(await settle(tenant, [order(tenant, 'a', 7), order(tenant, 'a')]))).toEqual(['conflict', 'duplicate']);
  });

  it('takes the same money through another door as a repeat, and other money as a conflict', async () => {
    const tenant = randomUUID();
    const through = (door: string, more: object = {}) =>
      pending(
        claimConversion(
          { external_id: 'a', amount_minor: 100, currency: 'EUR', customer_id: 'c', emailHash: null, ...more },
          { ...receptionOf(tenant), door },
        ),
      );
    expect(kinds(await settle(tenant, [through('api')]))).toEqual(['accepted']);
    const others = [
      through('stripe', { metadata: { a: 'b' } }),
      through('dub', { amount_minor: 99 }),
      through('api', { metadata: { a: 'b' } }),
    ];
    expect(kinds(await settle(tenant, others))).toEqual(['duplicate', 'conflict', 'conflict']);
  });

  it('uses no key up for what it refuses or only tries, and stores what was refused for its sender', async () => {
    const tenant = randomUUID();
    const keyed = (id: string, more: Partial<PendingClaim> = {}, amount = 100): PendingClaim => ({
      ...order(tenant, id, amount),
      idempotencyKey: 'k',
      ...more,
    });
    const paused = (): PendingClaim => {
      const item = keyed('paused');
      return { ...item, claim: { ...item.claim, refusal: { code: 'program_paused' } } as Claim };
    };
    expect(kinds(await settle(tenant, [keyed('tried', { validateOnly: true }), paused()]))).toEqual(['validated', 'refused']);
    expect(kinds(await settle(tenant, [keyed('a'), keyed('a'), keyed('b')]))).toEqual(['accepted', 'duplicate', 'refused']);
    expect(kinds(await settle(tenant, [keyed('c'), keyed('a')]))).toEqual(['refused', 'duplicate']);
    expect(await stored(tenant)).toEqual(['a']);
    const refused = await database.transaction([tenant], (tx) => rejectionStore.receiptsOf(tx, 'paused'));
    expect(refused).toMatchObject([{ verdict: 'rejected', reason: 'program_paused', external_id: 'paused' }]);
  });

  it('stores nothing for another tenant, even when asked to', async () => {
    const [tenant, other] = [randomUUID(), randomUUID()];
    expect(kinds(await settle(tenant, [order(other, 'x')]))).toEqual(['failed']);
    expect(await stored(other)).toEqual([]);
  });

  it('takes each fact once from many groups at once, in any order and with any repeats, without a deadlock', async () => {
    const tenant = randomUUID();
    const ids = Array.from({ length: 12 }, (_, i) => `o${i}`);
    const one = (id: string) =>
      id.endsWith('1')
        ? pending(claimReversal({ external_id: id }, receptionOf(tenant)))
        : id === 'o3'
          ? pending(claimVerification({ external_id: 'o4' }, receptionOf(tenant)))
          : id === 'o2'
            ? pending(claimIdentity({ customer_id: 'c', visitor_id: 'v', emailHash: null }, receptionOf(tenant)))
            : order(tenant, id);
    const receipts = new Map<string, Set<string>>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.constantFrom(...ids), { minLength: 1, maxLength: 20 }), { minLength: 2, maxLength: 6 }),
        async (groups) => {
          const results = await Promise.all(groups.map((group) => settle(tenant, group.map(one))));
          groups.flat().forEach((id, i) => {
            const result = results.flat()[i];
            if (result instanceof Error || (result?.kind !== 'accepted' && result?.kind !== 'duplicate')) throw result;
            receipts.set(id, (receipts.get(id) ?? new Set()).add(result.receiptId));
          });
        },
      ),
      { numRuns: 40 },
    );
    for (const [id, own] of receipts) expect([id, own.size]).toEqual([id, 1]);
    expect(await stored(tenant)).toHaveLength(receipts.size);
  });

  it('meets others in one order: large groups of the same ids in opposite orders never deadlock', async () => {
    const collisions = async () =>
      (await counter('baton_postgres_collisions_total', '').get()).values.reduce((sum, { value }) => sum + value, 0);
    const before = await collisions();
    for (let round = 0; round < 15; round++) {
      const tenant = randomUUID();
      const ids = Array.from({ length: 150 }, (_, i) => `o${i}`).sort((a, b) =>
        order(tenant, a).claim.factId < order(tenant, b).claim.factId ? -1 : 1,
      );
      const results = await Promise.all(
        [ids, [...ids].reverse(), ids].map((own) =>
          settle(
            tenant,
            own.map((id) => order(tenant, id)),
          ),
        ),
      );
      expect(results.flatMap(kinds).filter((kind) => kind === 'accepted')).toHaveLength(ids.length);
    }
    // A deadlock would have been run again and so not be seen in the results.
    expect((await collisions()) - before).toBe(0);
  }, 30_000);

  it('of two that hold the same id open at once, exactly one is accepted', async () => {
    const tenant = randomUUID();
    let release!: () => void;
    const barrier = new Promise<void>((resolve) => (release = resolve));
    let arrived!: () => void;
    const inserted = new Promise<void>((resolve) => (arrived = resolve));
    const slowFacts = {
      ...factStore,
      insert: async (...args: Parameters<typeof factStore.insert>) => {
        const result = await factStore.insert(...args);
        arrived();
        await barrier;
        return result;
      },
    };
    const first = settleWith({
      database,
      facts: slowFacts,
      selections,
      rejections: rejectionStore,
      touches: touchStore,
      seen: nothingSeen,
      committed: () => undefined,
    })(tenant, [order(tenant, 'a'), order(tenant, 'b')]);
    await inserted;
    // The second waits for the first's row, then must see it in a new statement.
    const second = settle(tenant, [order(tenant, 'b'), order(tenant, 'a', 5)]);
    release();
    expect([kinds(await first), kinds(await second)]).toEqual([
      ['accepted', 'accepted'],
      ['duplicate', 'conflict'],
    ]);
  });
});
