import { createLog, type Database, openDatabase } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { ownPrefix, proxyTo, type StoreProxy, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import { keyUseStore } from './key-use.store';
import { KeyUses } from './key-uses';
import { signedIdStore } from './signed-id.store';
import { PgSignedIds } from './signed-ids';

const log = createLog('test', 'silent');
const MINUTE_MS = 60_000;
const START_MS = Date.parse('2026-01-31T12:00:00.000Z');

describe('what is kept of keys', () => {
  let db: TestDatabase;
  let admin: Client;
  let proxy: StoreProxy;
  let worker: Database;
  let api: Database;
  let nowMs = START_MS;
  beforeEach(() => (nowMs = START_MS));
  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix: ownPrefix() });
    admin = new Client({ connectionString: db.adminUrl });
    await admin.connect();
    proxy = await proxyTo(db.worker);
    worker = openDatabase({ url: proxy.url, poolMax: 4, log });
    api = openDatabase({ url: db.api, poolMax: 4, log });
  }, 60_000);
  afterAll(async () => {
    proxy.heal();
    await Promise.all([worker.close(), api.close()]);
    await proxy.close();
    await admin.end();
    await db.drop();
  }, 60_000);

  const usesOf = () => new KeyUses({ database: worker, store: keyUseStore, now: () => nowMs, log });
  const key = () => ({ tenantId: randomUUID(), keyId: randomUUID() });
  const lastUse = async ({ tenantId, keyId }: ReturnType<typeof key>) =>
    (await api.transaction([tenantId], (tx) => keyUseStore.lastUsed(tx, tenantId, keyId)))?.getTime();
  const pass = (ms: number) => void (nowMs += ms);

  it('is the last use of each, of many tenants, written at most once a minute', async () => {
    const [uses, keys] = [usesOf(), [key(), key(), key()]];
    for (const one of keys) uses.note(one);
    await uses.flush();
    for (const one of keys) expect(await lastUse(one)).toBe(START_MS);
    const [busy] = keys as [ReturnType<typeof key>];
    pass(30_000);
    uses.note(busy);
    await uses.flush();
    expect(await lastUse(busy)).toBe(START_MS);
    pass(30_000);
    await uses.flush();
    expect(await lastUse(busy)).toBe(START_MS + 30_000);
  });

  it('is the latest of all replicas, in whatever order they write', async () => {
    const [early, late, one] = [usesOf(), usesOf(), key()];
    early.note(one);
    pass(MINUTE_MS);
    late.note(one);
    await late.flush();
    await early.flush();
    expect(await lastUse(one)).toBe(START_MS + MINUTE_MS);
  });

  it('is written before a replica ends, and after the database was away', async () => {
    const [uses, one] = [usesOf(), key()];
    uses.note(one);
    proxy.cut();
    await uses.flush();
    expect(await lastUse(one)).toBeUndefined();
    proxy.heal();
    await uses.flush();
    expect(await lastUse(one)).toBe(START_MS);
    pass(1_000);
    uses.note(one);
    await uses.stop();
    expect(await lastUse(one)).toBe(START_MS + 1_000);
  });

  it('shows a tenant its own keys alone', async () => {
    const [uses, one] = [usesOf(), key()];
    uses.note(one);
    await uses.flush();
    expect(await api.transaction([randomUUID()], (tx) => keyUseStore.lastUsed(tx, one.tenantId, one.keyId))).toBeNull();
  });

  it('is what came under a webhook-id, for three days', async () => {
    const ids = new PgSignedIds({ api, worker, store: signedIdStore, now: () => nowMs, log });
    const keyId = randomUUID();
    const claims = await Promise.all(['a', 'b', 'a'].map((bodyHash) => ids.claim(keyId, { idHash: 'one', bodyHash })));
    expect(new Set(claims).size).toBe(1);
    expect(await ids.claim(keyId, { idHash: 'two', bodyHash: 'b' })).toBe('b');
    expect(await ids.claim(randomUUID(), { idHash: 'one', bodyHash: 'c' })).toBe('c');
    pass(3 * 86_400_000 - 1);
    await ids.sweep();
    expect(await ids.claim(keyId, { idHash: 'one', bodyHash: 'z' })).toBe(claims[0]);
    pass(2);
    await ids.sweep();
    expect(await ids.claim(keyId, { idHash: 'one', bodyHash: 'z' })).toBe('z');
    expect((await admin.query('SELECT 1 FROM signed_ids')).rowCount).toBe(1);
  });
});
