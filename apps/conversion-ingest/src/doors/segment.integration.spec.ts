import { parse, type Topic, type TouchRecordedData } from '@baton/contracts';
import { digestOfApiKey } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import RudderAnalytics from '@rudderstack/rudder-sdk-node';
import { Analytics } from '@segment/analytics-node';
import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { type Account, apiKey, type Json, openWorld, program, type World } from '../ingest.world';

describe('the door for Segment and RudderStack', () => {
  const prefix = ownPrefix();
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let admin: string;
  let url: string;

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(31);
    const key = apiKey(acme.tenantId, { scopes: ['catalog:read', 'catalog:write', 'receipts:read'] });
    await world.publish([key.event]);
    admin = key.text;
    for (const one of [admin, acme.key]) for (const replica of [0, 1]) await eventually(() => world.knows(one, replica), 60_000);
    url = world.replicas[0]?.url as string;
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const facts = (externalId: string) =>
    world.rows('SELECT kind, door, data FROM facts WHERE tenant_id = $1 AND external_id = $2', acme.tenantId, externalId);
  const identities = (customerId: string) =>
    world.rows(
      `SELECT data FROM facts WHERE kind = 'identity' AND data->'identifiers' @> $1::jsonb`,
      JSON.stringify([{ kind: 'customer_id', value: customerId }]),
    );
  const touches = async (touchOf: (touch: TouchRecordedData) => boolean) =>
    (await world.rows(`SELECT topic, key, value, headers FROM outbox WHERE topic LIKE '%touches%'`))
      .map((row) =>
        parse(row['topic'] as Topic, {
          key: row['key'] as string,
          value: Buffer.from(row['value'] as string),
          headers: row['headers'] as Record<string, string>,
        }),
      )
      .map(({ data }) => data as TouchRecordedData)
      .filter(touchOf);
  const post = (type: string, body: unknown, more: { key?: string; headers?: Record<string, string>; raw?: string | Uint8Array } = {}) =>
    fetch(`${url}/v1/${type}`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${more.key ?? acme.key}:`).toString('base64')}`,
        'content-type': 'text/plain',
        ...more.headers,
      },
      body: more.raw ?? JSON.stringify(body),
    });
  const orderOf = (orderId: string) => ({ order_id: orderId, total: 49.9, currency: 'EUR', click_id: acme.click });

  it('takes what Segment’s own client for Node sends', async () => {
    const [orderId, userId] = [randomUUID(), randomUUID()];
    const analytics = new Analytics({ writeKey: acme.key, host: url, flushAt: 10, maxRetries: 0 });
    const failed: unknown[] = [];
    analytics.on('error', (error) => failed.push(error));
    analytics.identify({ userId, anonymousId: 'anon-1', traits: { email: 'jane@example.org' } });
    analytics.page({
      userId,
      anonymousId: 'anon-1',
      properties: { url: 'https://shop.example/a' },
      context: { page: { url: `https://shop.example/a?click_id=${acme.click}`, referrer: 'https://news.example/' } },
    });
    analytics.track({ userId, event: 'Order Completed', properties: orderOf(orderId) });
    analytics.track({ userId, event: 'Product Viewed', properties: { price: 3 } });
    await analytics.closeAndFlush({ timeout: 10_000 });
    expect(failed).toEqual([]);
    const [sale] = await facts(orderId);
    expect(sale).toMatchObject({
      kind: 'conversion',
      door: 'segment',
      data: { amountMinor: 4990, currency: 'EUR', clickId: acme.click, programId: acme.program, customerId: userId },
    });
    expect((await identities(userId))[0]?.['data']).toMatchObject({
      identifiers: [{ kind: 'customer_id' }, { kind: 'email_hash' }, { kind: 'visitor_id', value: 'anon-1' }],
    });
    expect(await touches(({ page }) => page?.startsWith('https://shop.example/a?') ?? false)).toMatchObject([
      {
        clickId: acme.click,
        programId: acme.program,
        channelType: 'affiliate',
        referrerHost: 'news.example',
        visitorId: 'anon-1',
        linkId: expect.any(String),
        partnerId: expect.any(String),
      },
    ]);
  });

  it.each([true, false])('takes what RudderStack’s own client for Node sends, packed: %s', async (gzip) => {
    const [orderId, userId] = [randomUUID(), randomUUID()];
    const client = new RudderAnalytics(acme.key, {
      dataPlaneUrl: url,
      gzip,
      flushAt: 2,
      retryCount: 0,
      errorHandler: (error) => failed.push(error),
    });
    const failed: unknown[] = [];
    client.track({ userId, event: 'Order Completed', properties: orderOf(orderId) });
    client.track({ userId, event: 'Order Refunded', properties: { order_id: orderId, total: 10, currency: 'EUR' } });
    await client.flush();
    await eventually(async () => (await facts(orderId)).length === 2, 10_000);
    expect(failed).toEqual([]);
    expect((await facts(orderId)).map(({ kind, data }) => [kind, (data as Json)['amountMinor']]).sort()).toEqual([
      ['conversion', 4990],
      ['reversal', 1000],
    ]);
  });

  it('takes a message that comes again, later and through another replica, as the same', async () => {
    const [orderId, messageId] = [randomUUID(), randomUUID()];
    const message = {
      type: 'track',
      userId: 'u',
      messageId,
      event: 'Order Completed',
      properties: orderOf(orderId),
      timestamp: new Date().toISOString(),
    };
    const verdicts = [];
    for (const [i, replica] of world.replicas.entries()) {
      const sentAt = new Date(Date.now() + i * 60_000).toISOString();
      const answer = await fetch(`${replica.url}/v1/batch`, {
        method: 'POST',
        body: JSON.stringify({ batch: [message], sentAt, writeKey: acme.key }),
      });
      verdicts.push([answer.status, answer.headers.get('baton-verdict'), await answer.json()]);
    }
    expect(verdicts).toEqual([
      [200, 'accepted', { success: true }],
      [200, 'duplicate', { success: true }],
    ]);
    expect(await facts(orderId)).toHaveLength(1);
  });

  it('takes 99 messages of a batch of 100 where one is bad, and keeps why the one was not taken', async () => {
    const ids = Array.from({ length: 100 }, () => randomUUID());
    const batch = ids.map((messageId, i) => ({
      type: 'track',
      userId: `u${i}`,
      messageId,
      event: 'Order Completed',
      properties: { order_id: messageId, total: i === 41 ? '1,234' : 5, currency: 'EUR' },
    }));
    const answer = await post('batch', { batch });
    expect([answer.status, answer.headers.get('baton-verdict'), await answer.json()]).toEqual([200, 'mixed', { success: true }]);
    expect(await world.rows('SELECT 1 FROM facts WHERE external_id = ANY ($1)', ids)).toHaveLength(99);
    const refused = await world.call(`/v1/receipts?external_id=${ids[41]}`, undefined, { key: acme.key });
    expect(refused.json['receipts']).toMatchObject([{ verdict: 'rejected', reason: 'amount_invalid' }]);
  });

  it('takes as many messages as a batch has room for', async () => {
    const batch = Array.from({ length: 1_500 }, (_, i) => ({ type: 'track', userId: 'u', messageId: `${prefix}${i}`, event: 'Lead' }));
    const answer = await post('batch', { batch });
    expect([answer.status, answer.headers.get('baton-verdict')]).toEqual([200, 'accepted']);
  }, 60_000);

  it('reads what is packed, whatever its type says, and refuses what is malformed, too large, or nobody’s', async () => {
    const lead = { userId: 'u', messageId: randomUUID(), event: 'Lead' };
    const packed = await post('track', null, {
      raw: new Uint8Array(gzipSync(JSON.stringify(lead))),
      headers: { 'content-encoding': 'gzip' },
    });
    expect([packed.status, packed.headers.get('baton-verdict')]).toEqual([200, 'accepted']);
    const large = { ...lead, properties: { text: 'x'.repeat(33_000) } };
    const answers = [
      await post('track', null, { raw: '{"userId":' }),
      await post('track', large),
      await post('batch', { batch: Array.from({ length: 17 }, () => large) }),
      await post('track', lead, { key: 'nobody' }),
      await post('track', lead, { key: admin }),
      await post('screen', { userId: 'u' }),
    ];
    expect(answers.map(({ status, headers }) => [status, headers.get('baton-reason')])).toEqual([
      [400, 'malformed'],
      [400, 'too_large'],
      [400, 'too_large'],
      [401, 'unauthorised'],
      [403, 'scope_missing'],
      [200, 'ignored'],
    ]);
  });

  it('reads by the tenant’s own mapping, and by that of a key before it', async () => {
    const key = apiKey(acme.tenantId);
    await world.publish([key.event]);
    await eventually(() => world.knows(key.text), 20_000);
    const keyId = (await world.rows('SELECT id FROM api_keys WHERE digest = $1', digestOfApiKey(key.text)))[0]?.['id'] as string;
    const settings = {
      events: { 'Plan Bought': { as: 'subscription_payment', amount: ['properties.price'] } },
      currency: 'JPY',
      keys: { [keyId]: { currency: 'KWD' } },
    };
    const put = await fetch(`${url}/v1/doors/segment`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: JSON.stringify(settings),
    });
    expect(put.status).toBe(200);
    const bought = async (as: string) => {
      const messageId = randomUUID();
      await post('track', { userId: 'u', messageId, event: 'Plan Bought', properties: { price: '12,5' } }, { key: as });
      return (await facts(messageId)).map(({ data }) => [(data as Json)['amountMinor'], (data as Json)['currency']]);
    };
    expect([await bought(acme.key), await bought(key.text)]).toEqual([[[13, 'JPY']], [[12_500, 'KWD']]]);
    await fetch(`${url}/v1/doors/segment`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${admin}`, 'content-type': 'application/json' },
      body: '{}',
    });
  });

  it('sends no touch of a test key or a paused program, and keeps addresses out of pages', async () => {
    const visit = {
      anonymousId: randomUUID(),
      messageId: randomUUID(),
      context: { page: { url: 'https://shop.example/hello?email=jane@example.org&a=1', referrer: '' } },
    };
    expect((await post('page', visit)).headers.get('baton-verdict')).toBe('accepted');
    expect(await touches(({ visitorId }) => visitorId === visit.anonymousId)).toMatchObject([
      { page: 'https://shop.example/hello?a=1', channel: 'direct' },
    ]);
    const test = apiKey(acme.tenantId, { test: true });
    const paused = await world.account(32);
    await world.publish([test.event, program(paused.tenantId, paused.program, 2, 'disabled')]);
    for (const [key, verdict] of [
      [test.text, 'validated'],
      [paused.key, 'rejected'],
    ] as const) {
      const other = { ...visit, anonymousId: randomUUID() };
      await eventually(async () => (await post('page', other, { key })).headers.get('baton-verdict') === verdict, 20_000);
      const { anonymousId } = other;
      if (verdict === 'validated') expect(await touches(({ visitorId }) => visitorId === anonymousId)).toEqual([]);
    }
  });
});
