import { checkTenancy } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { type Call, furnished, type Harness, startHarness } from './testing';

const A_CANARY = 'canary-of-a';

describe('a tenant of the control plane', () => {
  let harness: Harness;
  beforeAll(async () => {
    harness = await startHarness();
  });
  afterAll(() => harness.stop());

  it('is alone in every table, whatever role asks', async () => {
    const report = await checkTenancy(harness.db);
    expect(report.problems).toEqual([]);
    expect(report.tables).toEqual(
      expect.arrayContaining([
        'api_keys',
        'creations',
        'domains',
        'links',
        'partners',
        'plan_versions',
        'program_versions',
        'referrals',
        'tenants',
      ]),
    );
  });

  /** Everything that tenant A has, each with a canary, and tenant B, who tries to reach it on every route. */
  async function twoTenants() {
    const a = await furnished(harness, A_CANARY);
    const b = await furnished(harness, 'B');
    const make = async (path: string, body: object) => (await a.call('POST', path, body)).body.id as string;
    const linkId = await make('/v1/links', {
      program_id: a.programId,
      partner_id: a.partnerId,
      destination: `https://shop.example/${A_CANARY}`,
    });
    const planId = await make('/v1/plans', { program_id: a.programId, name: A_CANARY, kind: 'flat', amount_minor: 500, currency: 'EUR' });
    const keyId = await make('/v1/api-keys', { name: A_CANARY, scopes: ['catalog:read', 'catalog:write'] });
    const domainId = await make('/v1/domains', { host: `${randomUUID().slice(0, 8)}.${A_CANARY}.example` });
    return { a: { ...a, linkId, planId, keyId, domainId }, b };
  }

  const asB = async (b: { tenantId: string }): Promise<[string, Call][]> => {
    const { key } = (await harness.operator(b.tenantId)('POST', '/v1/api-keys', { name: 'own', scopes: ['catalog:read', 'catalog:write'] }))
      .body;
    return [
      ['the operator for B', harness.operator(b.tenantId)],
      ['a key of B', harness.withKey(key as string)],
    ];
  };

  it('finds nothing of another tenant under any id on any route', async () => {
    const { a, b } = await twoTenants();
    const { paths } = (await a.call('GET', '/openapi.json')).body as { paths: Record<string, Record<string, unknown>> };
    const ids: Record<string, string> = {
      tenants: a.tenantId,
      programs: a.programId,
      partners: a.partnerId,
      links: a.linkId,
      plans: a.planId,
      'api-keys': a.keyId,
      domains: a.domainId,
    };
    const bodies: [RegExp, object][] = [
      [/\/state$/, { state: 'deleted' }],
      [/programs\/.*\/versions$/, { hold_days: 0 }],
      [/plans\/.*\/versions$/, { kind: 'flat', amount_minor: 1, currency: 'EUR' }],
      [/domains\/[^/]*$/, { root_url: 'https://stolen.example/' }],
      [/links\/[^/]*$/, { destination: 'https://shop.example/stolen' }],
    ];
    const before = await Promise.all(Object.entries(ids).map(([kind, id]) => a.call('GET', `/v1/${kind}/${id}`)));
    const version = (await a.call('GET', '/v1/catalog')).body.version as number;
    let walked = 0;
    for (const [who, call] of await asB(b)) {
      for (const [path, methods] of Object.entries(paths).filter(([p]) => p.includes('{id}'))) {
        for (const method of Object.keys(methods)) {
          // The operator may look at any tenant: that is no tenant's route.
          if (who === 'the operator for B' && path.startsWith('/v1/tenants')) continue;
          const target = path.replace('{id}', ids[path.split('/')[2] as string] as string);
          const answer = await call(
            method.toUpperCase(),
            target,
            method === 'post' ? (bodies.find(([p]) => p.test(target))?.[1] ?? {}) : undefined,
          );
          expect({ who, method, path, status: answer.status, code: answer.body.code }).toEqual({
            who,
            method,
            path,
            status: 404,
            code: 'not_found',
          });
          expect(JSON.stringify(answer.body)).not.toContain(A_CANARY);
          walked++;
        }
      }
    }
    expect(walked).toBeGreaterThan(37);
    expect(await Promise.all(Object.entries(ids).map(([kind, id]) => a.call('GET', `/v1/${kind}/${id}`)))).toEqual(before);
    // The key that B got is the one change: nothing else moved the clock.
    expect((await a.call('GET', '/v1/catalog')).body.version).toBe(version + 1);
  });

  it('cannot build on another tenant’s program or partner, and cannot tell them from ones that do not exist', async () => {
    const { a, b } = await twoTenants();
    const attempts = (programId: string, partnerId: string): [string, object][] => [
      ['/v1/links', { program_id: programId, partner_id: b.partnerId, destination: 'https://shop.example/' }],
      ['/v1/links', { program_id: b.programId, partner_id: partnerId, destination: 'https://shop.example/' }],
      ['/v1/links:build', { program_id: programId, partner_id: b.partnerId, destination: 'https://shop.example/' }],
      ['/v1/links:build', { program_id: b.programId, partner_id: partnerId, destination: 'https://shop.example/' }],
      ['/v1/plans', { program_id: programId, name: 'x', kind: 'flat', amount_minor: 1, currency: 'EUR' }],
      ['/v1/referrers', { program_id: programId, customer_id: 'c1' }],
    ];
    const foreign = attempts(a.programId, a.partnerId);
    const unknown = attempts(randomUUID(), randomUUID());
    for (const [i, [path, body]] of foreign.entries()) {
      const answer = await b.call('POST', path, body);
      expect(answer.status).toBe(422);
      const same = await b.call('POST', path, (unknown[i] as [string, object])[1]);
      expect({ ...answer.body, request_id: '' }).toEqual({ ...same.body, request_id: '' });
    }
  });

  it('lists nothing of another tenant', async () => {
    const { a, b } = await twoTenants();
    for (const kind of ['programs', 'partners', 'links', 'domains', 'plans', 'api-keys']) {
      const mine = await a.call('GET', `/v1/${kind}`);
      const theirs = await b.call('GET', `/v1/${kind}`);
      expect(mine.body.items.length).toBeGreaterThan(0);
      expect(JSON.stringify(theirs.body)).not.toContain(A_CANARY);
      expect((theirs.body.items as { tenant_id: string }[]).every((item) => item.tenant_id === b.tenantId)).toBe(true);
    }
    for (const filter of [`links?partner_id=${a.partnerId}`, `plans?program_id=${a.programId}`])
      expect((await b.call('GET', `/v1/${filter}`)).body.items).toEqual([]);
  });

  it('cannot print another tenant’s domain on a code', async () => {
    const { a, b } = await twoTenants();
    const host = (await a.call('GET', `/v1/domains/${a.domainId}`)).body.host as string;
    const link = (
      await b.call('POST', '/v1/links', { program_id: b.programId, partner_id: b.partnerId, destination: 'https://shop.example/' })
    ).body;
    expect(await b.call('GET', `/v1/links/${link.id}/qr.svg?domain=${host}`)).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'domain' }] },
    });
  });

  it('may have the same ids, customers and partner keys as another', async () => {
    const { a, b } = await twoTenants();
    const id = randomUUID();
    for (const { call, programId } of [a, b]) {
      expect((await call('POST', '/v1/partners', { id, name: 'Same', key: 'same-key' })).status).toBe(201);
      expect((await call('POST', '/v1/referrers', { customer_id: 'same-customer', program_id: programId })).status).toBe(201);
    }
  });
});

describe('an API key of the control plane', () => {
  let harness: Harness;
  let tenant: Awaited<ReturnType<typeof furnished>>;
  beforeAll(async () => {
    harness = await startHarness();
    tenant = await furnished(harness);
  });
  afterAll(() => harness.stop());
  const mint = async (more: object = {}) =>
    (await tenant.call('POST', '/v1/api-keys', { name: 'k', scopes: ['catalog:read', 'catalog:write'], ...more })).body as {
      id: string;
      key: string;
      short_id: string;
    };

  it('is shown once, acts for its tenant alone, and is refused as soon as it is revoked', async () => {
    const { id, key, short_id: shortId } = await mint();
    expect(key).toMatch(new RegExp(`^bk_live_${shortId}_`));
    const call = harness.withKey(key);
    expect((await call('GET', `/v1/programs/${tenant.programId}`)).status).toBe(200);
    expect(JSON.stringify([await call('GET', '/v1/api-keys'), await call('GET', `/v1/api-keys/${id}`)])).not.toContain(key);
    expect(await call('POST', `/v1/api-keys/${id}/revoke`)).toMatchObject({ status: 201, body: { state: 'deleted', version: 2 } });
    expect(await call('GET', '/v1/programs')).toMatchObject({ status: 401, body: { code: 'unauthorised' } });
    expect(await tenant.call('POST', `/v1/api-keys/${id}/revoke`)).toMatchObject({ status: 200, body: { state: 'deleted', version: 2 } });
  });

  it('rotates: two live at once, each revoked alone', async () => {
    const [first, second] = [await mint(), await mint()];
    for (const { key } of [first, second]) expect((await harness.withKey(key)('GET', '/v1/catalog')).status).toBe(200);
    await tenant.call('POST', `/v1/api-keys/${first.id}/revoke`);
    expect([
      (await harness.withKey(first.key)('GET', '/v1/catalog')).status,
      (await harness.withKey(second.key)('GET', '/v1/catalog')).status,
    ]).toEqual([401, 200]);
  });

  it('needs the scope of what it does', async () => {
    const reader = harness.withKey((await mint({ scopes: ['catalog:read'] })).key);
    const other = harness.withKey((await mint({ scopes: ['conversions:write'] })).key);
    expect((await reader('GET', '/v1/programs')).status).toBe(200);
    expect(await reader('POST', '/v1/partners', { name: 'x' })).toMatchObject({ status: 403, body: { code: 'scope_missing' } });
    expect(await other('GET', '/v1/programs')).toMatchObject({ status: 403, body: { code: 'scope_missing' } });
  });

  it('makes no tenant, names no other tenant, and makes no key that can do more than itself', async () => {
    const { key } = await mint();
    const own = harness.withKey(key);
    expect(await own('POST', '/v1/tenants', { name: 'x' })).toMatchObject({ status: 403, body: { code: 'operator_only' } });
    const stranger = await furnished(harness, 'Stranger');
    expect(await harness.withKey(key, { 'baton-tenant': stranger.tenantId })('GET', '/v1/programs')).toMatchObject({
      status: 403,
      body: { code: 'tenant_mismatch' },
    });
    expect((await harness.withKey(key, { 'baton-tenant': tenant.tenantId })('GET', '/v1/programs')).status).toBe(200);
    expect(await own('POST', '/v1/api-keys', { name: 'more', scopes: ['conversions:write'] })).toMatchObject({
      status: 403,
      body: { code: 'scope_missing' },
    });
    const test = harness.withKey((await mint({ test: true })).key);
    expect(await test('POST', '/v1/api-keys', { name: 'live', scopes: ['catalog:read'] })).toMatchObject({
      status: 403,
      body: { code: 'scope_missing' },
    });
  });

  it('is refused when it is wrong, missing or over', async () => {
    const { key } = await mint();
    const refused = { status: 401, body: { code: 'unauthorised' } };
    expect(await harness.withKey(`${key.slice(0, -1)}x`)('GET', '/v1/programs')).toMatchObject(refused);
    expect(await harness.withKey('')('GET', '/v1/programs')).toMatchObject(refused);
    expect(await harness.withKey('a'.repeat(48))('GET', '/v1/catalog')).toMatchObject(refused);
    expect(
      await tenant.call('POST', '/v1/api-keys', { name: 'k', scopes: ['catalog:read'], expires_at: '2020-01-01T00:00:00.000Z' }),
    ).toMatchObject({ status: 400, body: { code: 'malformed' } });
  });

  it('cannot take the place of another tenant’s key in the credentials topic', async () => {
    const { id } = await mint();
    const thief = await furnished(harness, 'Thief');
    expect(await thief.call('POST', '/v1/api-keys', { id, name: 'k', scopes: ['catalog:read'] })).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    });
  });
});
