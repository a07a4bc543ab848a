import { randomUUID } from 'node:crypto';
import { type Call, furnished, type Harness, published, startHarness } from './testing';

describe('domains', () => {
  let harness: Harness;
  let call: Call;
  let tenantId: string;
  beforeAll(async () => {
    harness = await startHarness();
    ({ call, tenantId } = await furnished(harness));
  });
  afterAll(() => harness.stop());
  const fieldsOf = (answer: { body: { errors?: { field: string }[] } }) => (answer.body.errors ?? []).map((e) => e.field);

  const print = Array.from({ length: 32 }, (_, i) => i.toString(16).padStart(2, '0').toUpperCase()).join(':');
  const apps = {
    apple_apps: [{ app_id: 'ABCDE12345.com.example.app', paths: ['/r/*'] }],
    android_apps: [{ package: 'com.example.app', fingerprints: [print] }],
  };
  const host = () => `go-${randomUUID().slice(0, 8)}.shop.example`;

  it('are made once, changed, paused and deleted for good', async () => {
    const body = { id: randomUUID(), host: host(), root_url: 'https://shop.example', ...apps };
    const made = await call('POST', '/v1/domains', body);
    expect(made).toMatchObject({ status: 201, body: { ...body, root_url: 'https://shop.example/', version: 1, state: 'active' } });
    expect(await call('POST', '/v1/domains', body)).toEqual({ status: 200, body: made.body });
    const path = `/v1/domains/${body.id}`;
    expect(await call('GET', path)).toEqual({ status: 200, body: made.body });
    expect((await call('GET', '/v1/domains')).body.items).toContainEqual(made.body);
    expect(await call('POST', path, { root_url: 'https://shop.example', apple_apps: apps.apple_apps })).toMatchObject({
      status: 200,
      body: { version: 1 },
    });
    expect(await call('POST', path, { root_url: null, apple_apps: null })).toMatchObject({
      status: 201,
      body: { version: 2, root_url: null, apple_apps: [], android_apps: apps.android_apps },
    });
    expect(await call('POST', `${path}/state`, { state: 'disabled' })).toMatchObject({
      status: 201,
      body: { version: 3, state: 'disabled' },
    });
    expect(await call('POST', `${path}/state`, { state: 'deleted' })).toMatchObject({ status: 201, body: { version: 4 } });
    expect(await call('POST', path, { root_url: 'https://a.example/' })).toMatchObject({ status: 409, body: { code: 'deleted' } });
    expect(await published(harness, 'domain', body.id)).toContain('deleted');
  });

  it('belong to one tenant over all, and a refusal does not say to whom', async () => {
    const taken = host();
    expect((await call('POST', '/v1/domains', { host: taken })).status).toBe(201);
    const other = await furnished(harness, 'Host thief');
    const refused = await other.call('POST', '/v1/domains', { host: taken });
    expect(refused).toMatchObject({ status: 409, body: { code: 'domain_taken' } });
    expect(JSON.stringify(refused.body)).not.toContain(tenantId);
  });

  it.each([
    [{ host: 'Go.shop.example' }, 'host'],
    [{ host: 'localhost' }, 'host'],
    [{ host: 'go.shop.example:8080' }, 'host'],
    [{ host: '10.0.0.10' }, 'host'],
    [{ host: 'go.example' }, 'host'],
    [{ root_url: 'http://shop.example/' }, 'root_url'],
    [{ root_url: 'javascript:alert(1)' }, 'root_url'],
    [{ root_url: 'https://shop.example/\n' }, 'root_url'],
    [{ host: 'round.shop.example', root_url: 'https://round.shop.example/' }, 'root_url'],
    [{ apple_apps: [{ app_id: 'com.example.app' }] }, 'apple_apps[0].app_id'],
    [{ apple_apps: [{ app_id: 'ABCDE12345.com.example.app', paths: ['r/*'] }] }, 'apple_apps[0].paths[0]'],
    [{ android_apps: [{ package: 'com.example.app', fingerprints: [] }] }, 'android_apps[0].fingerprints'],
    [{ android_apps: [{ package: 'com.example.app', fingerprints: [print.toLowerCase()] }] }, 'android_apps[0].fingerprints[0]'],
  ])('are refused: %j', async (body, field) => {
    const refused = await call('POST', '/v1/domains', { host: host(), ...body });
    expect(refused).toMatchObject({ status: 400, body: { code: 'malformed' } });
    expect(new Set(fieldsOf(refused))).toEqual(new Set([field]));
  });
});
