import { emit, LinkChanged, mintClickId, PartnerChanged, ProgramChanged, SCOPES } from '@baton/contracts';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { apiKey, clickOf, type Json, openWorld, type World } from './ingest.world';

const DAY_MS = 86_400_000;
const clickIdKeys = new Map([[1, Buffer.alloc(32, 5)]]);

interface Shop {
  readonly tenantId: string;
  readonly key: string;
  readonly programId: string;
  readonly linkNumber: number;
}

describe('claims of newly installed apps, two replicas', () => {
  let db: TestDatabase;
  let world: World;
  let shop: Shop;
  let other: Shop;

  const open = async (linkNumber: number): Promise<Shop> => {
    const [tenantId, programId, partnerId] = [randomUUID(), randomUUID(), randomUUID()];
    const key = apiKey(tenantId, { scopes: ['deep_links:claim'] });
    await world.publish([
      emit(ProgramChanged, { ...ProgramChanged.sample, tenantId, id: programId, deepLinkSchemes: ['acme'], landingParam: 'ref' }),
      emit(PartnerChanged, { ...PartnerChanged.sample, tenantId, id: partnerId }),
      linkOf({ tenantId, programId, linkNumber }, partnerId),
      key.event,
    ]);
    const opened = { tenantId, key: key.text, programId, linkNumber };
    await eventually(async () => (await claim(opened, { token: clickOf(tenantId, linkNumber) })).json['deep_link'] !== null, 60_000);
    return opened;
  };
  const linkOf = ({ tenantId, programId, linkNumber }: Omit<Shop, 'key'>, partnerId: string = randomUUID()) =>
    emit(LinkChanged, {
      ...LinkChanged.sample,
      tenantId,
      id: randomUUID(),
      number: linkNumber,
      programId,
      partnerId,
      deepLink: 'acme://products/7',
      subIds: { sid: 'spring' },
    });
  /** Whatever the app, it comes from one address and with one User-Agent. */
  const claim = async ({ key }: Pick<Shop, 'key'>, body: Json, replica = 0) => {
    const answer = await world.call(
      '/v1/deep-links/claim',
      { device_id: randomUUID(), ...body },
      { key, replica, headers: { 'user-agent': 'AcmeApp/1.0 (Android 14)', 'x-forwarded-for': '192.0.2.7' } },
    );
    if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    return answer;
  };
  const rowsOf = (clickId: string) => world.rows('SELECT * FROM deep_link_claims WHERE click_id = $1', clickId);

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    const ready = apiKey(randomUUID());
    await world.publish([ready.event]);
    await eventually(() => world.knows(ready.text), 60_000);
    [shop, other] = [await open(21), await open(22)];
  }, 180_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  it('gives each of 50 devices behind one address its own click and none another’s', async () => {
    const devices = Array.from({ length: 50 }, (_, i) => ({ device_id: `device-${i}`, click: clickOf(shop.tenantId, shop.linkNumber), i }));
    const without = Array.from({ length: 10 }, (_, i) => ({ device_id: `organic-${i}`, install_referrer: 'utm_source=google-play' }));
    const [found, none] = await Promise.all([
      Promise.all(
        devices.map(({ device_id, click, i }) =>
          claim(shop, { device_id, ...(i % 3 === 0 ? { token: click } : { install_referrer: `ref=${click}&utm_source=blog` }) }, i % 2),
        ),
      ),
      Promise.all(without.map((body, i) => claim(shop, body, i % 2))),
    ]);
    expect(found.map(({ json }) => json)).toEqual(
      devices.map(({ click, i }) => ({
        matched: true,
        match: i % 3 === 0 ? 'token' : 'install_referrer',
        click_id: click,
        program_id: shop.programId,
        deep_link: 'acme://products/7',
        partner_key: 'garden-blog',
        sub_ids: { sid: 'spring' },
        duplicate: false,
      })),
    );
    expect(new Set(none.map(({ text }) => text))).toEqual(new Set(['{"matched":false,"reason":"no_evidence","duplicate":false}']));
  });

  it('lets exactly one of many devices have a click, and keeps to it', async () => {
    for (let round = 0; round < 5; round++) {
      const click = clickOf(shop.tenantId, shop.linkNumber);
      const answers = await Promise.all(
        Array.from({ length: 16 }, (_, i) => claim(shop, { device_id: `racer-${i}`, token: click }, i % 2)),
      );
      const winners = answers.flatMap(({ json }, i) => (json['matched'] === true ? [i] : []));
      expect(winners).toHaveLength(1);
      expect(answers.filter(({ json }) => json['reason'] === 'already_claimed')).toHaveLength(15);
      const again = await Promise.all(answers.map((_, i) => claim(shop, { device_id: `racer-${i}`, token: click }, (i + 1) % 2)));
      expect(again.flatMap(({ json }, i) => (json['matched'] === true ? [i] : []))).toEqual(winners);
      expect(await rowsOf(click)).toHaveLength(1);
    }
  });

  it('tells a device that asks again, also at once, what it was told first', async () => {
    const click = clickOf(shop.tenantId, shop.linkNumber);
    const body = { device_id: 'twice', install_referrer: `click_id=${click}` };
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => claim(shop, body, i % 2)));
    expect(answers.filter(({ json }) => json['duplicate'] === false)).toHaveLength(1);
    const first = answers.find(({ json }) => json['duplicate'] === false)?.json;
    for (const { json } of answers) expect({ ...json, duplicate: false }).toEqual(first);
    // By the code this time, and with times that would speak against a first claim.
    const later = await claim(shop, { device_id: 'twice', token: click, install_begin_timestamp_server_seconds: 1 }, 1);
    expect(later.json).toEqual({ ...first, duplicate: true });
  });

  it('knows no other tenant’s click', async () => {
    const click = clickOf(shop.tenantId, shop.linkNumber);
    const device = { device_id: 'one', token: click };
    expect((await claim(other, device)).json).toEqual({ matched: false, reason: 'click_forged', duplicate: false });
    expect((await claim(shop, device)).json).toMatchObject({ matched: true, duplicate: false });
    expect((await claim(other, device)).json).toEqual({ matched: false, reason: 'click_forged', duplicate: false });
    const [row] = await rowsOf(click);
    expect(row).toMatchObject({ tenant_id: shop.tenantId });
    expect(JSON.stringify(await world.rows(`SELECT * FROM deep_link_claims`))).not.toContain('racer-');
  });

  it('claims nothing for who is told no', async () => {
    const [click, second] = [clickOf(shop.tenantId, shop.linkNumber), clickOf(shop.tenantId, shop.linkNumber)];
    const old = mintClickId(clickIdKeys, shop.tenantId, { keyId: 1, linkNumber: 21, occurredAtMs: Date.now() - 91 * DAY_MS, nonce: 1 });
    const cases: [Json, string][] = [
      [{ install_referrer: `click_id=${click}`, token: second }, 'ambiguous'],
      [
        { install_referrer: `click_id=${click}`, referrer_click_timestamp_seconds: 20, install_begin_timestamp_seconds: 10 },
        'click_injection',
      ],
      [{ token: old }, 'too_old'],
    ];
    for (const [body, reason] of cases) expect((await claim(shop, body)).json).toEqual({ matched: false, reason, duplicate: false });
    expect([...(await rowsOf(click)), ...(await rowsOf(second)), ...(await rowsOf(old))]).toEqual([]);
    expect((await claim(shop, { token: click })).json).toMatchObject({ matched: true });
  });

  it('gives a click whose link is not known yet, and the link to who asks again', async () => {
    const late = { ...shop, linkNumber: 23 };
    const body = { device_id: 'early', token: clickOf(shop.tenantId, late.linkNumber) };
    expect((await claim(shop, body)).json).toMatchObject({
      matched: true,
      deep_link: null,
      partner_key: null,
      sub_ids: {},
      duplicate: false,
    });
    await world.publish([linkOf(late)]);
    const again = await eventually(async () => {
      const { json } = await claim(shop, body, 1);
      if (json['deep_link'] === null) throw new Error('the link is not known yet');
      return json;
    }, 20_000);
    expect(again).toMatchObject({ matched: true, match: 'token', deep_link: 'acme://products/7', duplicate: true });
  });

  it('needs the scope, and a body that can be read', async () => {
    const key = apiKey(shop.tenantId, { scopes: SCOPES.filter((scope) => scope !== 'deep_links:claim') });
    await world.publish([key.event]);
    await eventually(() => world.knows(key.text), 20_000);
    const ask = (body: Json, asking: { key: string }) => world.call('/v1/deep-links/claim', body, asking);
    expect((await ask({ device_id: 'x' }, { key: key.text })).json).toMatchObject({ status: 403, code: 'scope_missing' });
    for (const body of [{}, { device_id: '' }, { device_id: 'a\u0000' }, { device_id: 'x', token: 7 }, { device_id: 'x', ip: '192.0.2.7' }])
      expect((await ask(body, shop)).json).toMatchObject({ status: 400, code: 'malformed' });
  });

  it('delays no conversion, however many apps ask', async () => {
    const server = await world.account(24);
    await eventually(() => world.knows(server.key), 20_000);
    expect((await world.convert({}, { key: server.key })).status).toBe(201);
    await world.rows('BEGIN');
    await world.rows('LOCK TABLE deep_link_claims IN ACCESS EXCLUSIVE MODE');
    const asked = Array.from({ length: 40 }, () =>
      world.call('/v1/deep-links/claim', { device_id: 'x', token: clickOf(shop.tenantId, shop.linkNumber) }, { key: shop.key }),
    );
    const startedMs = Date.now();
    const { status } = await world.convert({}, { key: server.key });
    const tookMs = Date.now() - startedMs;
    await world.rows('ROLLBACK');
    expect(status).toBe(201);
    // A claim holds its connection until its statement is given up, two seconds later.
    expect(tookMs).toBeLessThan(1_500);
    for (const { status: answered } of await Promise.all(asked)) expect([200, 503]).toContain(answered);
  });

  it('counts what became of each', async () => {
    const metrics = await (await fetch(`${world.replicas[0]?.url}/metrics`)).text();
    for (const outcome of [
      'matched',
      'duplicate',
      'no_evidence',
      'click_forged',
      'ambiguous',
      'click_injection',
      'too_old',
      'already_claimed',
    ])
      expect(metrics).toMatch(new RegExp(`baton_deep_link_claims_total\\{[^}]*outcome="${outcome}"`));
  });
});
