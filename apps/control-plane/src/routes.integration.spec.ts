import { randomUUID } from 'node:crypto';
import { type Call, furnished, type Harness, startHarness, published } from './testing';

describe('the control plane over HTTP', () => {
  let harness: Harness;
  let call: Call;
  let tenantId: string;
  let programId: string;
  let partnerId: string;
  beforeAll(async () => {
    harness = await startHarness();
    ({ call, tenantId, programId, partnerId } = await furnished(harness));
  });
  afterAll(() => harness.stop());

  const link = (more: object = {}) => ({
    program_id: programId,
    partner_id: partnerId,
    destination: 'https://shop.example/spring',
    ...more,
  });
  const DAY_MS = 86_400_000;
  const later = (days: number) => new Date(Date.now() + days * DAY_MS).toISOString();

  it('is ready once its relay and stores are', async () => {
    expect(await harness.operator()('GET', '/readyz')).toMatchObject({
      status: 200,
      body: { ready: true, consumer: expect.any(String) as string },
    });
  });

  describe('tenants', () => {
    it('are made by the operator and say which catalog version knows them', async () => {
      const made = await harness.operator()('POST', '/v1/tenants', { name: 'Beta' });
      expect(made).toMatchObject({
        status: 201,
        body: { name: 'Beta', version: 1, state: 'active', catalog_version: expect.any(Number) as number },
      });
      expect(made.body.tenant_id).toBe(made.body.id);
      expect(await harness.operator()('GET', `/v1/tenants/${made.body.id}`)).toEqual({ status: 200, body: made.body });
      expect((await harness.operator()('GET', '/v1/catalog')).body.version).toBe(made.body.catalog_version);
    });

    it('have caps on what one reversal takes back unconfirmed, which the operator changes', async () => {
      const operator = harness.operator();
      const made = await operator('POST', '/v1/tenants', { name: 'Capped', reversal_cap_conversions: 5 });
      expect(made.body).toMatchObject({ version: 1, reversal_cap_conversions: 5, reversal_cap_minor: null });
      const limits = `/v1/tenants/${made.body.id}/limits`;
      const changed = await operator('POST', limits, { reversal_cap_minor: 50_000 });
      expect(changed).toMatchObject({ status: 201, body: { version: 2, reversal_cap_conversions: 5, reversal_cap_minor: 50_000 } });
      expect(await published(harness, 'tenant', made.body.id)).toContain('"reversalCapMinor":50000');
      expect(await operator('POST', limits, { reversal_cap_minor: 50_000 })).toEqual({ status: 200, body: changed.body });
      const taken = await operator('POST', limits, { reversal_cap_conversions: null });
      expect(taken.body).toMatchObject({ version: 3, name: 'Capped', reversal_cap_conversions: null, reversal_cap_minor: 50_000 });
      for (const bad of [{ reversal_cap_conversions: 0 }, { reversal_cap_minor: -1 }, { reversal_cap_minor: 1.5 }])
        expect(await operator('POST', limits, bad)).toMatchObject({ status: 400, body: { code: 'malformed' } });
      expect((await operator('POST', `/v1/tenants/${randomUUID()}/limits`, {})).status).toBe(404);
      const key = await harness.operator(made.body.id)('POST', '/v1/api-keys', { name: 'own', scopes: ['catalog:write'] });
      expect(await harness.withKey(key.body.key)('POST', limits, {})).toMatchObject({ status: 403, body: { code: 'operator_only' } });
    });

    it.each([
      ['no Baton-Tenant header', undefined, 400, 'tenant_missing'],
      ['a header that is no id', 'acme', 400, 'tenant_missing'],
      ['a tenant that does not exist', randomUUID(), 404, 'not_found'],
    ])('must be named to act for one: %s', async (_name, named, status, code) => {
      expect(await harness.operator(named)('GET', '/v1/programs')).toMatchObject({ status, body: { code } });
    });
  });

  describe('creations', () => {
    const creations: [string, () => object, () => object][] = [
      ['tenants', () => ({ name: 'Same' }), () => ({ name: 'Other' })],
      ['programs', () => ({ name: 'Same', destination_hosts: ['a.example'] }), () => ({ name: 'Same', destination_hosts: ['b.example'] })],
      ['partners', () => ({ name: 'Same' }), () => ({ name: 'Other' })],
      ['domains', () => ({ host: `${programId.slice(0, 8)}.same.example` }), () => ({ host: `${programId.slice(0, 8)}.other.example` })],
      ['links', () => link(), () => link({ destination: 'https://shop.example/other' })],
      [
        'plans',
        () => ({ program_id: programId, name: 'Same', kind: 'flat', amount_minor: 500, currency: 'EUR' }),
        () => ({ program_id: programId, name: 'Same', kind: 'flat', amount_minor: 501, currency: 'EUR' }),
      ],
      ['api-keys', () => ({ name: 'Same', scopes: ['catalog:read'] }), () => ({ name: 'Same', scopes: ['catalog:write'] })],
    ];
    it.each(creations)('of %s may be repeated under an id of the caller’s own, and change nothing then', async (path, body, other) => {
      const as = path === 'tenants' ? harness.operator() : call;
      const id = randomUUID();
      const first = await as('POST', `/v1/${path}`, { id, ...body() });
      expect(first).toMatchObject({ status: 201, body: { id, version: 1 } });
      const before = (await call('GET', '/v1/catalog')).body.version as number;
      const again = await as('POST', `/v1/${path}`, { ...body(), id });
      expect(again).toEqual({ status: 200, body: path === 'api-keys' ? { ...first.body, key: null } : first.body });
      expect(await as('POST', `/v1/${path}`, { id, ...other() })).toMatchObject({ status: 409, body: { code: 'conflict' } });
      expect((await call('GET', '/v1/catalog')).body.version).toBe(before);
    });

    it('name every problem of a body', async () => {
      const refused = await call('POST', '/v1/programs', { name: '', destination_hosts: 'shop.example', window_days: 1.5, budget: 1 });
      expect(refused).toMatchObject({ status: 400, body: { code: 'malformed' } });
      expect((refused.body.errors as { field: string }[]).map((e) => e.field)).toEqual(
        expect.arrayContaining(['name', 'destination_hosts', 'window_days', 'budget']),
      );
    });
  });

  describe('programs', () => {
    it('have versions: new terms begin later, old ones stay, what is not named is kept', async () => {
      const made = await call('POST', '/v1/programs', {
        name: 'Versions',
        destination_hosts: ['shop.example'],
        hold_days: 14,
        utm: { source: 'partners', campaign: 'v' },
      });
      expect(made.body).toMatchObject({
        valid_from: '2000-01-01T00:00:00.000Z',
        window_days: 30,
        hold_days: 14,
        utm: { source: 'partners', campaign: 'v', medium: 'referral' },
      });
      const path = `/v1/programs/${made.body.id}`;
      const validFrom = later(30);
      expect(await call('POST', `${path}/versions`, { window_days: 7, valid_from: validFrom })).toMatchObject({
        status: 201,
        body: { version: 2, window_days: 7, hold_days: 14, valid_from: validFrom },
      });
      expect(await call('POST', `${path}/versions`, { window_days: 7, valid_from: later(-1) })).toMatchObject({
        status: 422,
        body: { code: 'terms_in_past' },
      });
      const got = await call('GET', path);
      expect(got.body).toMatchObject({
        version: 2,
        versions: [
          { version: 1, window_days: 30 },
          { version: 2, window_days: 7 },
        ],
      });
    });

    it('are paused, resumed and deleted for good', async () => {
      const path = `/v1/programs/${(await call('POST', '/v1/programs', { name: 'States', destination_hosts: ['shop.example'] })).body.id}`;
      const set = (state: string) => call('POST', `${path}/state`, { state });
      expect(await set('disabled')).toMatchObject({
        status: 201,
        body: { state: 'disabled', version: 2, valid_from: '2000-01-01T00:00:00.000Z' },
      });
      expect(await set('disabled')).toMatchObject({ status: 200, body: { state: 'disabled', version: 2 } });
      expect(await set('active')).toMatchObject({ status: 201, body: { state: 'active', version: 3 } });
      expect(await set('deleted')).toMatchObject({ status: 201, body: { state: 'deleted', version: 4 } });
      expect(await set('active')).toMatchObject({ status: 409, body: { code: 'deleted' } });
      expect(await call('POST', `${path}/versions`, { hold_days: 1 })).toMatchObject({ status: 409, body: { code: 'deleted' } });
    });

    it.each([
      [{ destination_hosts: ['https://shop.example/'] }, 'destination_hosts'],
      [{ destination_hosts: [] }, 'destination_hosts'],
      [{ utm: { medium: 'cpc' } }, 'utm.medium'],
      [{ fallback_url: 'https://evil.example/' }, 'fallback_url'],
    ])('refuse %j', async (terms, field) => {
      const refused = await call('POST', '/v1/programs', { name: 'Bad', destination_hosts: ['shop.example'], ...terms });
      expect(refused).toMatchObject({ status: 400, body: { code: 'malformed', errors: [{ field }] } });
    });
  });

  describe('partners', () => {
    it('get a key of their name, another one where it is taken, and 409 where they ask for a taken one', async () => {
      const [first, second] = [
        await call('POST', '/v1/partners', { name: 'Zoë’s Shop' }),
        await call('POST', '/v1/partners', { name: 'Zoë’s Shop' }),
      ];
      expect(first.body.key).toBe('zoe-s-shop');
      expect(second.body.key).toMatch(/^zoe-s-shop-\w{8}$/);
      expect(await call('POST', '/v1/partners', { name: 'X', key: 'zoe-s-shop' })).toMatchObject({
        status: 409,
        body: { code: 'key_taken' },
      });
      expect(await call('POST', `/v1/partners/${first.body.id}/state`, { state: 'disabled' })).toMatchObject({
        status: 201,
        body: { state: 'disabled', version: 2 },
      });
      expect((await call('GET', `/v1/partners/${first.body.id}`)).body.state).toBe('disabled');
    });
  });

  describe('links', () => {
    it('have a share link, a number of their own and a slug that is theirs over all tenants', async () => {
      const first = await call('POST', '/v1/links', link({ slug: `own-${programId.slice(0, 8)}`, sub_ids: { sub1: 'a' } }));
      expect(first).toMatchObject({
        status: 201,
        body: { share_url: `https://go.example/r/${first.body.slug}`, sub_ids: { sub1: 'a' }, number: expect.any(Number) as number },
      });
      const second = await call('POST', '/v1/links', link());
      expect(second.body.slug).toMatch(/^[A-Za-z0-9]{8}$/);
      expect(second.body.number).toBeGreaterThan(first.body.number as number);

      const other = await furnished(harness, 'Slug thief');
      const taken = await other.call('POST', '/v1/links', {
        program_id: other.programId,
        partner_id: other.partnerId,
        destination: 'https://shop.example/',
        slug: first.body.slug,
      });
      expect(taken).toMatchObject({ status: 409, body: { code: 'slug_taken' } });
      expect(JSON.stringify(taken.body)).not.toContain(tenantId);
    });

    it('are led elsewhere, disabled and deleted, and keep their number', async () => {
      const made = (await call('POST', '/v1/links', link())).body;
      const path = `/v1/links/${made.id}`;
      expect(await call('POST', path, { destination: 'https://shop.example/summer' })).toMatchObject({
        status: 201,
        body: { version: 2, destination: 'https://shop.example/summer', number: made.number },
      });
      expect(await call('POST', path, { destination: 'https://shop.example/summer' })).toMatchObject({ status: 200, body: { version: 2 } });
      expect(await call('POST', `${path}/state`, { state: 'deleted' })).toMatchObject({
        status: 201,
        body: { state: 'deleted', version: 3 },
      });
      expect(await call('POST', path, { destination: 'https://shop.example/' })).toMatchObject({ status: 409, body: { code: 'deleted' } });
      expect((await call('GET', path)).body).toMatchObject({ state: 'deleted', number: made.number, slug: made.slug });
    });

    it.each([
      'http://shop.example/',
      'https://evil.example/',
      'https://shop.example@evil.example/',
      'javascript:alert(1)',
      '//shop.example',
      'https://shop.example/\r\nX: y',
      'https:\\\\shop.example',
    ])('lead nowhere but to the program’s hosts: %j is refused', async (destination) => {
      const refused = await call('POST', '/v1/links', link({ destination }));
      expect(refused).toMatchObject({ status: 422, body: { code: 'destination_refused' } });
      expect(new Set((refused.body.errors as { field: string }[]).map((e) => e.field))).toEqual(new Set(['destination']));
    });

    it('are listed by partner in pages', async () => {
      const pages = (await call('POST', '/v1/partners', { name: 'Pages' })).body.id as string;
      const numbers: number[] = [];
      for (let i = 0; i < 5; i++) numbers.push((await call('POST', '/v1/links', link({ partner_id: pages }))).body.number as number);
      const seen: number[] = [];
      let cursor: string | null = '';
      while (cursor !== null) {
        const page: { items: { number: number }[]; next_cursor: string | null } = (
          await call('GET', `/v1/links?partner_id=${pages}&limit=2${cursor ? `&cursor=${cursor}` : ''}`)
        ).body;
        seen.push(...page.items.map((item) => item.number));
        cursor = page.next_cursor;
      }
      expect(seen).toEqual(numbers);
      expect(await call('GET', '/v1/links?limit=0')).toMatchObject({ status: 400, body: { code: 'malformed' } });
      expect(await call('GET', '/v1/links?cursor=x')).toMatchObject({ status: 400, body: { code: 'malformed' } });
    });
  });

  describe('plans', () => {
    it('are exact in basis points and change by versions', async () => {
      const made = await call('POST', '/v1/plans', {
        program_id: programId,
        name: 'Share',
        kind: 'percentage',
        percent: '2.9',
        conversion_types: ['sale'],
      });
      expect(made).toMatchObject({
        status: 201,
        body: { basis_points: 290, amount_minor: null, conversion_types: ['sale'], valid_from: '2000-01-01T00:00:00.000Z' },
      });
      const path = `/v1/plans/${made.body.id}`;
      expect(await call('POST', `${path}/versions`, { kind: 'flat', amount_minor: 500, currency: 'EUR' })).toMatchObject({
        status: 201,
        body: { version: 2, basis_points: null, amount_minor: 500, name: 'Share' },
      });
      expect(await call('POST', `${path}/state`, { state: 'disabled' })).toMatchObject({
        status: 201,
        body: { version: 3, state: 'disabled', amount_minor: 500 },
      });
      expect((await call('GET', path)).body.versions).toHaveLength(3);
      expect((await call('GET', `/v1/plans?program_id=${programId}`)).body.items.map((p: { id: string }) => p.id)).toContain(made.body.id);
    });

    it.each([
      [{ kind: 'flat', amount_minor: 1.5, currency: 'EUR' }],
      [{ kind: 'flat', amount_minor: 500 }],
      [{ kind: 'percentage', percent: 2.9 }],
      [{ kind: 'percentage', basis_points: 10_001 }],
      [{ kind: 'percentage', basis_points: 100, conversion_types: ['purchase'] }],
    ])('refuse %j', async (terms) => {
      expect(await call('POST', '/v1/plans', { program_id: programId, name: 'Bad', ...terms })).toMatchObject({
        status: 400,
        body: { code: 'malformed' },
      });
    });
  });

  it('describes itself in OpenAPI 3.0, every route with its body', async () => {
    const { body } = await harness.operator()('GET', '/openapi.json');
    expect(body.openapi).toMatch(/^3\.0/);
    expect(Object.keys(body.paths as object)).toEqual(
      expect.arrayContaining(['/v1/tenants', '/v1/programs/{id}/versions', '/v1/referrers', '/v1/api-keys/{id}/revoke']),
    );
    expect(body.paths['/v1/links'].post.requestBody.content['application/json'].schema.required).toEqual([
      'destination',
      'partner_id',
      'program_id',
    ]);
    expect(JSON.stringify(body)).not.toMatch(/propertyNames|"type":"null"/);
  });
});
