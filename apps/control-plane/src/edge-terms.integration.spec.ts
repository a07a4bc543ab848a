import { randomUUID } from 'node:crypto';
import { ADMIN_KEY, type Call, furnished, type Harness, published, startHarness } from './testing';

const convention = { sources: ['garden', 'kitchen'], campaigns: ['spring-2026', 'summer-2026'], terms: ['pots', 'seeds'] };

describe('what was agreed for the edge', () => {
  let harness: Harness;
  let call: Call;
  let tenantId: string;
  let partnerId: string;
  let programId: string;
  beforeAll(async () => {
    harness = await startHarness();
    ({ call, tenantId, partnerId } = await furnished(harness));
    const program = await call('POST', '/v1/programs', {
      name: 'Edge',
      destination_hosts: ['shop.example', '*.shop.example'],
      utm_convention: convention,
      deep_link_schemes: ['acme'],
      app_stores: { app_store_url: 'https://apps.apple.com/app/id1', play_package: 'com.shop.app' },
    });
    programId = program.body.id as string;
  });
  afterAll(() => harness.stop());

  const link = (more: object = {}) => ({
    program_id: programId,
    partner_id: partnerId,
    destination: 'https://shop.example/spring',
    ...more,
  });
  const fieldsOf = (answer: { body: { errors?: { field: string }[] } }) => (answer.body.errors ?? []).map((e) => e.field);
  describe('programs', () => {
    it('have a convention, schemes and stores, which a new version keeps, changes or takes away', async () => {
      const path = `/v1/programs/${programId}`;
      const first = (await call('GET', path)).body as Record<string, unknown>;
      expect(first).toMatchObject({
        utm_convention: convention,
        deep_link_schemes: ['acme'],
        app_stores: { app_store_url: 'https://apps.apple.com/app/id1', play_package: 'com.shop.app' },
      });
      const own = (
        await call('POST', '/v1/programs', {
          name: 'Taken',
          destination_hosts: ['a.example'],
          utm_convention: convention,
          deep_link_schemes: ['acme'],
        })
      ).body;
      const kept = await call('POST', `/v1/programs/${own.id}/versions`, { hold_days: 3 });
      expect(kept.body).toMatchObject({ version: 2, utm_convention: convention, deep_link_schemes: ['acme'], app_stores: null });
      const taken = await call('POST', `/v1/programs/${own.id}/versions`, { utm_convention: null, deep_link_schemes: null });
      expect(taken.body).toMatchObject({ version: 3, hold_days: 3, utm_convention: null, deep_link_schemes: null });
    });

    it.each([
      [{ utm_convention: { sources: [], campaigns: ['a'] } }, 'utm_convention.sources'],
      [{ utm_convention: { sources: ['Garden'], campaigns: ['a'] } }, 'utm_convention.sources[0]'],
      [{ utm_convention: { sources: ['a', 'a'], campaigns: ['a'] } }, 'utm_convention.sources[1]'],
      [{ utm_convention: { sources: ['a'], campaigns: ['a'], medium: 'cpc' } }, 'utm_convention.medium'],
      [{ deep_link_schemes: ['javascript'] }, 'deep_link_schemes[0]'],
      [{ deep_link_schemes: ['Acme'] }, 'deep_link_schemes[0]'],
      [{ app_stores: {} }, 'app_stores'],
      [{ app_stores: { app_store_url: 'https://evil.example/app' } }, 'app_stores.app_store_url'],
      [{ app_stores: { play_package: 'nodots' } }, 'app_stores.play_package'],
    ])('refuse %j', async (terms, field) => {
      const refused = await call('POST', '/v1/programs', { name: 'Bad', destination_hosts: ['shop.example'], ...terms });
      expect(refused).toMatchObject({ status: 400, body: { code: 'malformed' } });
      expect(fieldsOf(refused)).toEqual([field]);
    });
  });

  describe('links', () => {
    const all = {
      utm: { source: 'kitchen', term: 'pots' },
      starts_at: '2026-03-01T00:00:00.000Z',
      ends_at: '2026-04-01T00:00:00.000Z',
      click_cap: 1_000_000_000_000,
      fallback_url: 'https://shop.example/over',
      targets: [
        { countries: ['DE', 'AT'], devices: ['mobile'], choices: [{ destination: 'https://de.shop.example/', weight: 3 }] },
        {
          choices: [
            { destination: 'https://shop.example/a', weight: 1 },
            { destination: 'https://shop.example/b', weight: 1 },
          ],
        },
      ],
      deep_link: 'acme://products/7',
    };

    it('carry all of it, are repeated safely, and change field by field', async () => {
      const id = randomUUID();
      const made = await call('POST', '/v1/links', link({ id, ...all }));
      expect(made).toMatchObject({ status: 201, body: { ...all, version: 1 } });
      expect(await call('POST', '/v1/links', link({ id, ...all }))).toEqual({ status: 200, body: made.body });
      expect(await call('POST', '/v1/links', link({ id, ...all, click_cap: 1 }))).toMatchObject({
        status: 409,
        body: { code: 'conflict' },
      });
      const path = `/v1/links/${id}`;
      expect((await call('GET', path)).body).toEqual(made.body);

      expect(await call('POST', path, { click_cap: 5 })).toMatchObject({ status: 201, body: { ...all, click_cap: 5, version: 2 } });
      expect(await call('POST', path, { click_cap: 5, targets: all.targets })).toMatchObject({ status: 200, body: { version: 2 } });
      const none = { utm: null, starts_at: null, ends_at: null, click_cap: null, fallback_url: null, targets: null, deep_link: null };
      expect(await call('POST', path, none)).toMatchObject({
        status: 201,
        body: { ...none, version: 3, destination: 'https://shop.example/spring' },
      });
      expect((await call('GET', path)).body).toMatchObject(none);
      expect(await call('POST', path, {})).toMatchObject({ status: 200, body: { version: 3 } });
    });

    it.each([
      [{ starts_at: '2026-04-01T00:00:00.000Z', ends_at: '2026-04-01T00:00:00.000Z' }, 400, 'malformed', ['ends_at']],
      [{ click_cap: 0 }, 400, 'malformed', ['click_cap']],
      [{ fallback_url: 'https://evil.example/' }, 422, 'destination_refused', ['fallback_url']],
      [{ targets: [{ choices: [] }] }, 400, 'malformed', ['targets[0].choices']],
      [
        { targets: [{ countries: ['UK', 'DE'], devices: ['tv'], choices: [{ destination: 'https://shop.example/', weight: 1 }] }] },
        400,
        'malformed',
        ['targets[0].countries[0]', 'targets[0].devices[0]'],
      ],
      [
        { targets: [{ choices: [{ destination: 'https://shop.example@evil.example/', weight: 1 }] }] },
        422,
        'destination_refused',
        ['targets[0].choices[0].destination', 'targets[0].choices[0].destination'],
      ],
      [
        { targets: [{ choices: [{ destination: 'https://shop.example/', weight: 0 }] }] },
        400,
        'malformed',
        ['targets[0].choices[0].weight'],
      ],
      [{ deep_link: 'other://products' }, 422, 'destination_refused', ['deep_link']],
      [{ deep_link: 'acme://a\r\nb' }, 422, 'destination_refused', ['deep_link']],
      [
        { utm: { source: 'gardn', campaign: 'Spring 2026', medium: 'cpc' } },
        422,
        'utm_refused',
        ['utm.source', 'utm.campaign', 'utm.medium'],
      ],
      [{ destination: 'https://shop.example/?utm_source=Garden&utm_id=7' }, 422, 'utm_refused', ['destination']],
    ])('are refused with every problem named: %j', async (more, status, code, fields) => {
      const refused = await call('POST', '/v1/links', link(more));
      expect(refused).toMatchObject({ status, body: { code } });
      expect(fieldsOf(refused)).toEqual(fields);
    });

    it('say how a UTM value was probably meant', async () => {
      const { body } = await call('POST', '/v1/links', link({ utm: { source: 'Gardne', campaign: 'Summer 2026', term: 'submarine' } }));
      expect(body.errors).toMatchObject([
        { field: 'utm.source', suggestion: 'garden' },
        { field: 'utm.campaign', suggestion: 'summer-2026' },
        { field: 'utm.term' },
      ]);
      expect((body.errors as { suggestion?: string }[])[2]?.suggestion).toBeUndefined();
    });

    it('can be led elsewhere though a choice of theirs has left the vocabulary', async () => {
      const program = (
        await call('POST', '/v1/programs', { name: 'Shrinks', destination_hosts: ['shop.example'], utm_convention: convention })
      ).body.id as string;
      const made = (await call('POST', '/v1/links', { ...link({ utm: { source: 'kitchen' } }), program_id: program })).body;
      await call('POST', `/v1/programs/${program}/versions`, { utm_convention: { ...convention, sources: ['garden'] } });
      const path = `/v1/links/${made.id}`;
      expect((await call('POST', path, { destination: 'https://shop.example/summer' })).status).toBe(201);
      expect(await call('POST', path, { utm: { source: 'kitchen' } })).toMatchObject({ status: 422, body: { code: 'utm_refused' } });
    });

    it('come in bulk with all of it, by the rules of a single creation', async () => {
      const upload = async (type: string, body: string) => {
        const headers = { authorization: `Bearer ${ADMIN_KEY}`, 'baton-tenant': tenantId, 'content-type': type };
        const answer = await fetch(`${harness.urls[0]}/v1/links:bulk`, { method: 'POST', headers, body });
        const lines = (await answer.text()).trim().split('\n');
        return lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter((line) => line['row'] !== undefined);
      };
      const rows = [link({ ...all, id: randomUUID() }), link({ utm: { source: 'gardn' } }), link({ ends_at: 'soon' })];
      const text = rows.map((row) => JSON.stringify(row)).join('\n');
      const verdicts = await upload('application/x-ndjson', text);
      expect(verdicts).toMatchObject([
        { status: 'created' },
        { status: 'rejected', code: 'utm_refused', problems: [{ field: 'utm.source', suggestion: 'garden' }] },
        { status: 'rejected', code: 'malformed', problems: [{ field: 'ends_at' }, { field: 'ends_at' }] },
      ]);
      const path = `/v1/links/${verdicts[0]?.['id'] as string}`;
      expect((await call('GET', path)).body).toMatchObject(all);
      expect((await upload('application/x-ndjson', text))[0]).toMatchObject({ status: 'exists' });
      const columns = 'program_id,partner_id,destination,utm_source,click_cap,ends_at,deep_link';
      const cells = `${programId},${partnerId},https://shop.example/csv,kitchen,9,2026-04-01T00:00:00.000Z,acme://x`;
      const [row] = await upload('text/csv', `${columns}\n${cells}\n`);
      expect((await call('GET', `/v1/links/${row?.['id'] as string}`)).body).toMatchObject({
        utm: { source: 'kitchen' },
        click_cap: 9,
        ends_at: '2026-04-01T00:00:00.000Z',
        deep_link: 'acme://x',
      });
    });

    it('are published whole, and without what they do not have', async () => {
      const made = (await call('POST', '/v1/links', link({ deep_link: 'acme://products/7', click_cap: 7 }))).body;
      const message = await published(harness, 'link', made.id as string);
      expect(message).toContain('acme://products/7');
      expect(message).not.toContain('startsAt');
      expect(await published(harness, 'program', programId)).toContain('spring-2026');
    });
  });

  it('is described in OpenAPI', async () => {
    const { paths } = (await call('GET', '/openapi.json')).body as { paths: Record<string, Record<string, unknown>> };
    for (const path of [
      '/v1/domains',
      '/v1/domains/{id}',
      '/v1/domains/{id}/state',
      '/v1/links:build',
      '/v1/links/{id}/qr.svg',
      '/v1/links/{id}/qr.png',
      '/v1/programs/{id}/utm-convention',
    ])
      expect(Object.keys(paths)).toContain(path);
  });
});
