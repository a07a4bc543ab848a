import { type Identifier, type Outgoing, peekClickId } from '@baton/contracts';
import type { Tx } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores as testStores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { postgresStores } from './app.module';
import { type IdentifierKey, PostgresPersonStore } from './person.store';
import type { Stores } from './revise';
import { at, click, clickIdOf, conversion, conversionIdOf, identity, link, program, reversal } from './testing/facts';
import { type Meeting, MEETINGS } from './testing/meetings';
import { heldAt, newest, type World, world } from './testing/world';

const id = (kind: Identifier['kind'], value: string): Identifier => ({ kind, value });
const NEVER_SETTLES_MS = 1e12;

const clickMs = (clickId: string): number => peekClickId(clickId)?.occurredAtMs ?? 0;
const sortedClicks = (tenant: string): string[] => [0, 1, 2].map((minute) => clickIdOf(tenant, 1, at(minute))).sort();
const sortedOrders = (tenant: string): string[] =>
  ['p', 'q', 'r'].sort((a, b) => (conversionIdOf(tenant, a) < conversionIdOf(tenant, b) ? -1 : 1));

describe('two batches that meet', () => {
  let db: TestDatabase;
  let admin: Client;
  const open: World[] = [];
  const replica = (stores: Stores = postgresStores()): World => {
    const opened = world(db.worker, stores, NEVER_SETTLES_MS);
    open.push(opened);
    return opened;
  };

  beforeAll(async () => {
    db = await testDatabase('attribution', { adminUrl: testStores().postgresAdminUrl, prefix: ownPrefix() });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
  }, 60_000);
  afterAll(async () => {
    for (const opened of open) await opened.close();
    await admin?.end();
    await db?.drop();
  });

  /** One waits for a lock of the other's, as the database itself sees it. */
  const isBlocked = async (): Promise<boolean> => {
    const { rowCount } = await admin.query(
      `SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND cardinality(pg_blocking_pids(pid)) > 0`,
    );
    return (rowCount ?? 0) > 0;
  };

  const look = async (a: World, tenant: string) => {
    await a.sweep();
    const found = await newest(a, [tenant]);
    return ['o1', 'o2'].map((externalId) => {
      const { outcome, reason, conversion: c, credits, model } = found.get(conversionIdOf(tenant, externalId)) ?? {};
      return [
        outcome,
        reason,
        c?.netAmountMinor,
        model?.programVersion,
        credits?.map(({ occurredAt, recorded, evidence }) => [occurredAt, recorded, evidence]),
      ];
    });
  };

  /** Holds one batch before each of its statements in turn, lets the other run as far as it comes, and compares with one after the other. */
  async function everyInterleaving(
    a: World,
    b: World,
    { before, first, second }: Meeting,
  ): Promise<{ wrong: string[]; retries: number; tried: number }> {
    const prepared = async (): Promise<string> => {
      const tenant = randomUUID();
      await a.deliver([program(tenant, 'odd'), link(tenant, 1), ...(before?.(tenant) ?? [])]);
      return tenant;
    };
    const calm = await prepared();
    await a.deliver(first(calm));
    await a.deliver(second(calm));
    const expected = JSON.stringify(await look(a, calm));
    const wrong: string[] = [];
    let retries = 0;
    let tried = 0;
    for (const [held, other] of [
      [first, second],
      [second, first],
    ] as const) {
      for (let statement = 0; ; statement++) {
        const tenant = await prepared();
        const { wrap, reached, go } = heldAt(statement);
        const one = a.deliver(held(tenant), wrap);
        const isHeld = await Promise.race([reached.then(() => true), one.then(() => false)]);
        if (!isHeld) break;
        const two = b.deliver(other(tenant));
        let isDone = false;
        void two.finally(() => (isDone = true)).catch(() => undefined);
        await eventually(async () => isDone || (await isBlocked()), 5_000, 2);
        go();
        for (const { attempts } of await Promise.all([one, two])) retries += attempts - 1;
        const found = JSON.stringify(await look(a, tenant));
        if (found !== expected) wrong.push(`held before statement ${statement}: ${found} instead of ${expected}`);
        tried++;
      }
    }
    return { wrong, retries, tried };
  }

  it.each(Object.keys(MEETINGS))(
    '%s: the same end, however they interleave, and no deadlock',
    async (name) => {
      const { wrong, retries, tried } = await everyInterleaving(replica(), replica(), MEETINGS[name] as Meeting);
      expect({ wrong, retries }).toEqual({ wrong: [], retries: 0 });
      expect(tried).toBeGreaterThan(5);
    },
    120_000,
  );

  /** Another session stands on the middle one of three keys; both batches come to it from their own side. Sorted, they queue; else they deadlock. */
  it.each<[string, (tenant: string) => Promise<unknown>, (tenant: string) => Outgoing[]]>([
    [
      'persons',
      (t) => admin.query(`SELECT FROM identifiers WHERE tenant_id = $1 AND identifier = 'customer_id:m' FOR UPDATE`, [t]),
      (t) => ['a', 'm', 'z'].map((k) => identity(t, id('customer_id', k), id('email_hash', `${k} ${Math.random()}`))),
    ],
    [
      'new identifiers',
      (t) => admin.query(`INSERT INTO identifiers (tenant_id, identifier, root) VALUES ($1, 'external:m', 'external:m')`, [t]),
      (t) => ['a', 'm', 'z'].map((o) => reversal(t, o, `r ${Math.random()}`, 1, at(9))),
    ],
    [
      'new clicks',
      (t) =>
        admin.query(`INSERT INTO clicks (tenant_id, day, click_id, filled) VALUES ($1, '2026-03-01', $2, false)`, [t, sortedClicks(t)[1]]),
      (t) => sortedClicks(t).map((clickId) => click(t, 1, clickMs(clickId), { clickId })),
    ],
    [
      'new conversions',
      (t) =>
        admin.query(
          `INSERT INTO conversions (tenant_id, conversion_id, external_id, receipt_id, type, amount_minor, currency, occurred_at, received_at, test, dropped_evidence) VALUES ($1, $2, 'x', $2, 'sale', 1, 'EUR', now(), now(), false, '{}')`,
          [t, conversionIdOf(t, sortedOrders(t)[1] as string)],
        ),
      (t) => sortedOrders(t).map((externalId) => conversion(t, externalId, at(5))),
    ],
  ])('%s: taken in the order of their keys, so that opposite batches queue and do not deadlock', async (_name, stand, facts) => {
    const [a, b] = [replica(), replica()];
    const tenant = randomUUID();
    await a.deliver(['a', 'm', 'z'].map((k) => identity(tenant, id('customer_id', k), id('visitor_id', k))));
    await admin.query('BEGIN');
    await stand(tenant);
    const both = [a.deliver(facts(tenant)), b.deliver(facts(tenant).reverse())];
    const waiting = `SELECT count(*)::int AS count FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0`;
    const watcher = new Client({ connectionString: db.adminUrl });
    await watcher.connect();
    await eventually(async () => (await watcher.query<{ count: number }>(waiting)).rows[0]?.count === 2, 5_000, 5);
    await admin.query('ROLLBACK');
    expect((await Promise.all(both)).map(({ attempts }) => attempts)).toEqual([1, 1]);
    await watcher.end();
  });

  it('would miss facts for ever if the persons were not locked: the same interleavings show it', async () => {
    class Unlocked extends PostgresPersonStore {
      override lock(tx: Tx, identifiers: readonly IdentifierKey[]) {
        return tx.$queryRawUnsafe<(IdentifierKey & { root: string })[]>(
          `SELECT i.tenant_id AS "tenantId", i.identifier, i.root FROM jsonb_to_recordset($1::jsonb) AS n("tenantId" uuid, identifier text) JOIN identifiers i ON i.tenant_id = n."tenantId" AND i.identifier = n.identifier`,
          JSON.stringify(identifiers),
        );
      }
    }
    const careless = () => replica({ ...postgresStores(), persons: new Unlocked() });
    const { wrong } = await everyInterleaving(careless(), careless(), MEETINGS['two identities that join A to B and B to C'] as Meeting);
    expect(wrong.length).toBeGreaterThan(0);
  }, 120_000);
});
