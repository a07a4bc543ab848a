import { parse, type Topic } from '@baton/contracts';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { checkTenancy, eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { conversionIdOf } from './domain';
import { type Account, clickOf, type Json, openWorld, order, program, type World } from './ingest.world';

describe('conversion ingest, two replicas', () => {
  const prefix = ownPrefix();
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let other: Account;

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    other = await world.account(12);
    for (const { key } of [acme, other]) await eventually(() => world.knows(key), 60_000);
    for (const { url } of world.replicas) await eventually(async () => (await fetch(`${url}/readyz`)).status === 200, 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const sixtyFour = async (body: Json) => {
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, i) => world.call('/v1/conversions', body, { key: acme.key, replica: i % 2 })),
    );
    const header = (name: string) => answers.map((a) => a.headers.get(name));
    return {
      statuses: answers.map((a) => a.status).sort(),
      bodies: new Set(answers.map((a) => a.text)),
      receipts: new Set(header('baton-receipt')),
      verdicts: header('baton-verdict').sort(),
    };
  };

  it('takes 64 concurrent requests of one id as one conversion with one receipt, whatever Redis says', async () => {
    const body = order({ click_id: acme.click, email: ' Jane.Doe@Example.org ' });
    const externalId = body['external_id'] as string;
    const first = await sixtyFour(body);
    expect(first.statuses).toEqual([...Array.from({ length: 63 }, () => 200), 201]);
    expect(first.verdicts).toEqual(['accepted', ...Array.from({ length: 63 }, () => 'duplicate')]);
    expect([first.bodies.size, first.receipts.size]).toEqual([1, 1]);
    expect(JSON.parse([...first.bodies][0] as string)).toEqual({
      receipt_id: [...first.receipts][0],
      verdict: 'accepted',
      reason: 'accepted',
      kind: 'conversion',
      conversion_id: conversionIdOf(acme.tenantId, externalId),
      external_id: externalId,
      program_id: acme.program,
      received_at: expect.any(String),
      occurred_at: expect.any(String),
      dropped_evidence: [],
      test: false,
    });
    const hints = await eventually(async () => {
      const keys = await world.redis.keys(`${prefix}*`);
      if (keys.length === 0) throw new Error('nothing is remembered yet');
      return keys;
    });
    for (const [what, change] of [
      ['as it is', []],
      ['flushed', hints.map((key) => () => world.redis.del(key))],
      ['lying', hints.map((key) => () => world.redis.set(key, 'nonsense'))],
    ] as const) {
      for (const work of change) await work();
      const again = await sixtyFour(body);
      expect([what, again.statuses, again.bodies]).toEqual([what, Array.from({ length: 64 }, () => 200), first.bodies]);
    }
    expect(await world.rows('SELECT 1 FROM facts WHERE external_id = $1', externalId)).toHaveLength(1);
  });

  it('sends each conversion once, as consumers read it', async () => {
    const { json } = await world.convert({ click_id: acme.click, email: 'a@b' }, { key: acme.key });
    const [sent, ...more] = await world.rows(`SELECT topic, key, value, headers FROM outbox WHERE key = $1`, json['conversion_id']);
    expect(more).toEqual([]);
    const { data } = parse(sent?.['topic'] as Topic, {
      key: sent?.['key'] as string,
      value: Buffer.from(sent?.['value'] as string),
      headers: sent?.['headers'] as Record<string, string>,
    });
    expect(data).toMatchObject({
      tenantId: acme.tenantId,
      programId: acme.program,
      clickId: acme.click,
      receiptId: json['receipt_id'],
      emailHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    await eventually(async () => (await world.rows('SELECT 1 FROM outbox WHERE published_at IS NULL')).length === 0, 20_000);
  });

  it('believes no hint of a conversion that was never received', async () => {
    const body = order();
    await world.redis.set(`${prefix}ingest:seen:${conversionIdOf(acme.tenantId, body['external_id'] as string)}`, randomUUID());
    expect((await world.call('/v1/conversions', body, { key: acme.key })).status).toBe(201);
  });

  it('keeps no raw address anywhere', async () => {
    await world.convert({ email: 'canary-address@example.org' }, { key: acme.key });
    for (const table of ['facts', 'outbox'])
      expect(await world.rows(`SELECT 1 FROM ${table} AS t WHERE t::text ILIKE '%canary-address%'`)).toEqual([]);
  });

  it('stays a duplicate after the program was paused, and refuses what is new', async () => {
    const { tenantId, key, program: id, click } = await world.account(14);
    await eventually(async () => (await world.convert({}, { key })).json['program_id'] === id, 20_000);
    const body = order({ click_id: click });
    const first = await world.call('/v1/conversions', body, { key });
    await world.publish([program(tenantId, id, 2, 'disabled')]);
    await eventually(async () => (await world.convert({}, { key })).json['code'] === 'program_paused', 20_000);
    const again = await world.call('/v1/conversions', body, { key, replica: 1 });
    expect([again.status, again.text, again.headers.get('baton-replayed')]).toEqual([200, first.text, 'true']);
  });

  it('takes a click of a link not known yet, and leaves the program open where several are possible', async () => {
    const { tenantId, key, program: id, click } = await world.account(15);
    await world.publish([program(tenantId, randomUUID())]);
    const unknown = clickOf(tenantId, 999);
    await eventually(async () => (await world.convert({ click_id: unknown }, { key })).json['program_id'] === null, 20_000);
    expect((await world.convert({ click_id: click }, { key })).json).toMatchObject({ verdict: 'accepted', program_id: id });
  });

  it('keeps tenants apart: ids, receipts, clicks, programs, currencies, rows', async () => {
    const body = order({ external_id: 'shared' });
    const [mine, theirs] = [{ key: acme.key }, { key: other.key }];
    const first = await world.call('/v1/conversions', body, mine);
    const receipt = `/v1/receipts/${first.json['receipt_id'] as string}`;
    const followed = { ...first.json, progress: expect.objectContaining({ attribution: null, rewards: [] }) };
    expect((await world.call(receipt, undefined, mine)).json).toEqual(followed);
    expect((await world.call(receipt, undefined, theirs)).status).toBe(404);
    expect((await world.call('/v1/receipts?external_id=shared', undefined, theirs)).status).toBe(404);
    expect((await world.call('/v1/reversals', { external_id: 'shared', currency: 'USD' }, theirs)).status).toBe(201);
    const second = await world.call('/v1/conversions', { ...body, amount_minor: 7 }, theirs);
    expect([second.status, second.json['conversion_id'] === first.json['conversion_id']]).toEqual([201, false]);
    expect((await world.convert({ customer_id: null, click_id: acme.click }, theirs)).json['code']).toBe('click_forged');
    expect((await world.convert({ program_id: acme.program }, theirs)).json['code']).toBe('program_unknown');
    expect((await world.call('/v1/receipts?external_id=shared', undefined, mine)).json).toEqual({ receipts: [followed] });
    expect(await checkTenancy(db)).toEqual({
      tables: expect.arrayContaining(['catalog_entities', 'facts', 'progress', 'rejections', 'reward_states']),
      problems: [],
    });
  });
});
