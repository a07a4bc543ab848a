import { signingSecretOf } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { type Answer, type Call, furnished, type Harness, published, SIGNING_ROOT, startHarness } from './testing';

const DAY_MS = 86_400_000;
const LIMITS = {
  rate_limit: { requests: 100, window_seconds: 60 },
  allowed_addresses: ['203.0.113.7', '10.0.0.0/8', '2001:db8::/32'],
};

describe('the limits of an API key', () => {
  let harness: Harness;
  let tenantId: string;
  let programId: string;
  let call: Call;
  beforeAll(async () => {
    harness = await startHarness(2);
    ({ tenantId, programId, call } = await furnished(harness));
  });
  afterAll(() => harness.stop());
  const mint = (more: object = {}): Promise<Answer> =>
    call('POST', '/v1/api-keys', { name: 'shop', scopes: ['conversions:write'], ...more });
  const told = async (id: string) => JSON.parse(await published(harness, 'api_key', id)) as Record<string, unknown>;

  it('are kept, shown and published as they were asked for', async () => {
    const { status, body } = await mint({ ...LIMITS, program_id: programId, signed: true });
    expect([status, body]).toEqual([201, expect.objectContaining({ ...LIMITS, program_id: programId, signed: true })]);
    const { key: _key, signing_secret: _secret, ...shown } = body;
    expect((await call('GET', `/v1/api-keys/${body.id}`)).body).toEqual(shown);
    expect(await told(body.id)).toMatchObject({
      rateLimit: { requests: 100, windowSeconds: 60 },
      allowedAddresses: LIMITS.allowed_addresses,
      signed: true,
      programId,
    });
    const plain = (await mint()).body;
    expect(plain).toMatchObject({ rate_limit: null, allowed_addresses: null, signed: false, program_id: null, signing_secret: null });
    expect(await told(plain.id)).toMatchObject({ rateLimit: null, allowedAddresses: null, signed: false });
  });

  it('are refused with every problem named', async () => {
    const { status, body } = await mint({
      allowed_addresses: ['10.0.0.0/8', '10.0.0.0/33', 'office', '::ffff:10.0.0.0/95', '10.0.0.1,10.0.0.2'],
      expires_at: '2020-01-01T00:00:00.000Z',
      signed: true,
      scopes: ['conversions:write', 'rewards:read'],
    });
    expect([status, body.code]).toEqual([400, 'malformed']);
    expect(body.errors.map(({ field }: { field: string }) => field)).toEqual([
      'allowed_addresses[1]',
      'allowed_addresses[2]',
      'allowed_addresses[3]',
      'allowed_addresses[4]',
      'expires_at',
      'scopes',
    ]);
    expect(body.errors[0].problem).toContain('"10.0.0.0/33"');
    for (const more of [
      { allowed_addresses: [] },
      { allowed_addresses: new Array(51).fill('10.0.0.1') },
      { rate_limit: { requests: 0, window_seconds: 1 } },
      { rate_limit: { requests: 1 } },
      { rate_limit: { requests: 1, window_seconds: 86_401 } },
    ])
      expect([more, (await mint(more)).body.code]).toEqual([more, 'malformed']);
    expect((await mint({ program_id: randomUUID() })).body.code).toBe('program_unknown');
  });

  it('show the signing secret once, and keep it nowhere', async () => {
    const id = randomUUID();
    const first = (await mint({ id, signed: true })).body;
    expect(first.signing_secret).toBe(signingSecretOf(SIGNING_ROOT, id));
    expect(Buffer.from(first.signing_secret.slice('whsec_'.length), 'base64')).toHaveLength(32);
    expect((await mint({ id, signed: true })).body).toEqual({ ...first, key: null, signing_secret: null });
    expect(JSON.stringify([await told(id), await call('GET', `/v1/api-keys/${id}`)])).not.toContain('whsec_');
  });

  it('hold here too: a key does not work from elsewhere, whatever a caller says of itself', async () => {
    const scopes = ['catalog:read', 'catalog:write'];
    const here = (await mint({ scopes, allowed_addresses: ['127.0.0.0/8'] })).body;
    const there = (await mint({ scopes, allowed_addresses: ['203.0.113.7'] })).body;
    expect((await harness.withKey(here.key)('GET', '/v1/programs')).status).toBe(200);
    const sayings: Record<string, string>[] = [{}, { 'x-forwarded-for': '203.0.113.7' }];
    for (const headers of sayings) {
      expect(await harness.withKey(there.key, headers)('GET', '/v1/programs')).toMatchObject({
        status: 403,
        body: { code: 'address_not_allowed', detail: expect.stringContaining('127.0.0.1') },
      });
      expect((await harness.withKey(there.key, headers)('POST', '/v1/links:bulk', {})).body.code).toBe('address_not_allowed');
    }
  });

  describe('are the new key’s too when one is rotated', () => {
    it('and both work until the old one ends', async () => {
      const old = (await mint({ ...LIMITS, program_id: programId, signed: true, test: true })).body;
      const started = Date.now();
      const { status, body } = await call('POST', `/v1/api-keys/${old.id}/rotate`, {});
      expect(status).toBe(201);
      expect(body).toMatchObject({
        ...LIMITS,
        name: 'shop',
        scopes: old.scopes,
        program_id: programId,
        signed: true,
        test: true,
        replaces: old.id,
      });
      expect(body.key).toMatch(/^bk_test_/);
      expect([body.key, body.signing_secret]).not.toEqual([old.key, old.signing_secret]);
      expect(body).toMatchObject({ version: 1, expires_at: null, signing_secret: signingSecretOf(SIGNING_ROOT, body.id) });
      const until = Date.parse(body.replaced_expires_at);
      expect(until).toBeGreaterThanOrEqual(started + DAY_MS);
      expect(until).toBeLessThanOrEqual(Date.now() + DAY_MS);
      expect(await told(old.id)).toMatchObject({ version: 2, state: 'active', expiresAt: body.replaced_expires_at });
      expect(await told(body.id)).toMatchObject({
        version: 1,
        state: 'active',
        expiresAt: null,
        rateLimit: { requests: 100, windowSeconds: 60 },
      });
    });

    it('once, however often the request is repeated, at whichever replica', async () => {
      const [old, id] = [(await mint()).body, randomUUID()];
      const rotate = (replica: number, more: object = {}) =>
        harness.operator(tenantId, replica)('POST', `/v1/api-keys/${old.id}/rotate`, { id, overlap_seconds: 600, ...more });
      const answers = await Promise.all([0, 1, 0, 1].map((replica) => rotate(replica)));
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 201]);
      expect(answers.filter(({ body }) => body.key !== null)).toHaveLength(1);
      expect(new Set(answers.map(({ body }) => JSON.stringify({ ...body, key: null }))).size).toBe(1);
      expect(await told(old.id)).toMatchObject({ version: 2 });
      expect((await rotate(1, { overlap_seconds: 0 })).body.code).toBe('conflict');
    });

    it('at once with an overlap of 0, and never later than the old one was to end', async () => {
      const old = (await mint({ scopes: ['catalog:read'] })).body;
      const { body } = await call('POST', `/v1/api-keys/${old.id}/rotate`, { overlap_seconds: 0 });
      expect((await harness.withKey(old.key)('GET', '/v1/programs')).status).toBe(401);
      expect((await harness.withKey(body.key)('GET', '/v1/programs')).status).toBe(200);
      const ending = (await mint({ expires_at: new Date(Date.now() + 60_000).toISOString() })).body;
      expect((await call('POST', `/v1/api-keys/${ending.id}/rotate`, {})).body.replaced_expires_at).toBe(ending.expires_at);
    });

    it('by whoever may give such a key, and while it is not revoked', async () => {
      const old = (await mint()).body;
      const own = harness.withKey((await mint({ scopes: ['catalog:read', 'catalog:write'] })).body.key);
      expect((await own('POST', `/v1/api-keys/${old.id}/rotate`, {})).body.code).toBe('scope_missing');
      const stranger = await furnished(harness, 'Stranger');
      expect((await stranger.call('POST', `/v1/api-keys/${old.id}/rotate`, {})).status).toBe(404);
      await call('POST', `/v1/api-keys/${old.id}/revoke`);
      expect((await call('POST', `/v1/api-keys/${old.id}/rotate`, {})).body.code).toBe('deleted');
      expect((await mint().then(({ body }) => call('POST', `/v1/api-keys/${body.id}/rotate`, { overlap_seconds: -1 }))).body.code).toBe(
        'malformed',
      );
    });
  });
});
