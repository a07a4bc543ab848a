import { eventually } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { Client } from 'pg';
import { ADMIN_KEY, type Call, furnished, type Harness, PUBLIC_URL, startHarness } from './testing';

jest.setTimeout(120_000);

interface Upload {
  readonly type?: string;
  readonly query?: string;
  readonly headers?: Record<string, string>;
  readonly replica?: number;
}
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Line = any;

describe('links in bulk', () => {
  let harness: Harness;
  let call: Call;
  let tenantId: string;
  let programId: string;
  let partnerId: string;
  beforeAll(async () => {
    harness = await startHarness(2);
    ({ call, tenantId, programId, partnerId } = await furnished(harness));
  });
  afterAll(() => harness.stop());

  const link = (more: object = {}) => ({
    program_id: programId,
    partner_id: partnerId,
    destination: 'https://shop.example/spring',
    ...more,
  });
  const ndjson = (rows: readonly (object | string)[]) =>
    rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
  const send = (body: string | Readable, { type = 'application/x-ndjson', query = '', headers = {}, replica = 0 }: Upload = {}) =>
    fetch(`${harness.urls[replica]}/v1/links:bulk${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'baton-tenant': tenantId, 'content-type': type, ...headers },
      body: body as string,
      ...(typeof body === 'string' ? {} : { duplex: 'half' }),
    } as RequestInit);
  const linesOf = (text: string): Line[] =>
    text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);
  const upload = async (body: string | Readable, how: Upload = {}): Promise<{ verdicts: Line[]; last: Line; status: number }> => {
    const answer = await send(body, how);
    const lines = linesOf(await answer.text());
    return { verdicts: lines.filter((l) => l.row !== undefined), last: lines.at(-1), status: answer.status };
  };
  const count = async (): Promise<number> => {
    const client = new Client({ connectionString: harness.db.adminUrl });
    await client.connect();
    const { rows } = await client.query<{ n: number }>('SELECT count(*)::int AS n FROM links');
    await client.end();
    return rows[0]?.n ?? 0;
  };

  it('are made row by row, in order, and say from which catalog version on they are live', async () => {
    const id = randomUUID();
    const { status, verdicts, last } = await upload(
      ndjson([link({ slug: 'bulk-one' }), link({ id, sub_ids: { sub1: 'a' } }), link({ sub2: 'b' })]),
    );
    expect(status).toBe(200);
    expect(verdicts.map((v) => [v.row, v.status])).toEqual([
      [1, 'created'],
      [2, 'created'],
      [3, 'created'],
    ]);
    expect(verdicts[0]).toMatchObject({ slug: 'bulk-one', share_url: `${PUBLIC_URL}/r/bulk-one` });
    expect(verdicts[1].number).toBe(verdicts[0].number + 1);
    const stored = await Promise.all(verdicts.map(async (v) => (await call('GET', `/v1/links/${v.id}`)).body));
    expect(stored).toMatchObject([
      { slug: 'bulk-one', number: verdicts[0].number },
      { id, sub_ids: { sub1: 'a' } },
      { sub_ids: { sub2: 'b' } },
    ]);
    expect(last).toEqual({ done: true, rows: 3, created: 3, exists: 0, rejected: 0, catalog_version: stored[2].catalog_version });
    expect((await call('GET', '/v1/catalog')).body.version).toBe(last.catalog_version);
  });

  it('are rejected one by one, with every problem named, and nothing else is affected', async () => {
    const before = await count();
    const rows = [
      link(),
      '{"program_id":',
      link({ destination: 'https://evil.example/', slug: 'never' }),
      link({ slug: '!', sub_ids: 'x', budget: 1 }),
      link({ program_id: randomUUID() }),
      '',
      `{"a":"${'x'.repeat(70_000)}"}`,
      link({ partner_id: randomUUID() }),
      '[1]',
      '{"__proto__":{"x":1}}',
      link(),
    ];
    const { verdicts, last } = await upload(ndjson(rows));
    expect(verdicts.map((v) => v.code ?? v.status)).toEqual([
      'created',
      'malformed',
      'destination_refused',
      'malformed',
      'program_unknown',
      'too_large',
      'partner_unknown',
      'malformed',
      'malformed',
      'created',
    ]);
    expect(verdicts[3].problems.map((p: { field: string }) => p.field).sort()).toEqual(['budget', 'slug', 'sub_ids', 'sub_ids']);
    expect(verdicts[4].problems).toEqual([{ field: 'program_id', problem: expect.any(String) as string }]);
    expect(last).toMatchObject({ done: true, rows: 10, created: 2, rejected: 8 });
    expect(await count()).toBe(before + 2);
    const quiet = await upload(ndjson(rows), { query: '?verdicts=rejected' });
    expect(quiet.verdicts).toHaveLength(8);
    expect(quiet.last).toMatchObject({ created: 2, rejected: 8 });
  });

  it('are read from CSV: quoted cells, sub ids of their own columns, semicolons, a byte order mark', async () => {
    const csv = `\ufeffprogram_id;partner_id;destination;slug;sub1;sub_ids\r\n${programId};${partnerId};"https://shop.example/a;b";csv-one;"x ""y""";"{""sub2"":""z""}"\r\n${programId};${partnerId};"broken"x;;;\r\n${programId};${partnerId};https://shop.example/;csv-two;;\r\n`;
    const { verdicts, last } = await upload(csv, { type: 'text/csv; charset=utf-8' });
    expect(last).toMatchObject({ created: 2, rejected: 1 });
    expect(verdicts[1]).toMatchObject({ row: 2, status: 'rejected', code: 'malformed' });
    expect((await call('GET', `/v1/links/${verdicts[0].id}`)).body).toMatchObject({
      destination: 'https://shop.example/a;b',
      sub_ids: { sub1: 'x "y"', sub2: 'z' },
    });
  });

  it('have every field of a single creation, and are judged by the same terms', async () => {
    const { body: program } = await call('POST', '/v1/programs', {
      name: 'Governed',
      destination_hosts: ['shop.example'],
      utm_convention: { sources: ['garden'], campaigns: ['spring', 'summer'] },
    });
    const target = { countries: ['AT'], choices: [{ destination: 'https://shop.example/at', weight: 1 }] };
    const full = link({
      program_id: program.id,
      slug: 'bulk-full',
      starts_at: '2026-01-01T00:00:00.000Z',
      ends_at: '2199-01-01T00:00:00.000Z',
      click_cap: 5,
      fallback_url: 'https://shop.example/over',
      utm_campaign: 'summer',
      targets: [target],
    });
    const csv = `program_id,partner_id,destination,slug,click_cap,utm_campaign,starts_at,ends_at,fallback_url,targets
${program.id},${partnerId},https://shop.example/spring,bulk-full,5,summer,2026-01-01T00:00:00.000Z,2199-01-01T00:00:00.000Z,https://shop.example/over,"${JSON.stringify([target]).replaceAll('"', '""')}"
${program.id},${partnerId},https://shop.example/spring,,five,sumer,2199-01-01T00:00:00.000Z,2026-01-01T00:00:00.000Z,,
${program.id},${partnerId},https://shop.example/spring,,5,sumer,2199-01-01T00:00:00.000Z,2026-01-01T00:00:00.000Z,https://evil.example/,`;
    const first = (await upload(ndjson([full]))).verdicts[0];
    expect(first).toMatchObject({ status: 'created' });
    const { body } = await call('GET', `/v1/links/${first.id}`);
    expect(body).toMatchObject({
      click_cap: 5,
      utm: { campaign: 'summer' },
      targets: [target],
      fallback_url: full['fallback_url' as never],
    });
    const { verdicts } = await upload(csv, { type: 'text/csv' });
    expect(verdicts[0]).toEqual({ ...first, status: 'exists' });
    expect(verdicts[1]).toMatchObject({ code: 'malformed' });
    expect(verdicts[1].problems.every((p: { field: string }) => p.field === 'click_cap')).toBe(true);
    expect(verdicts[2].code).toBe('destination_refused');
    expect(new Set(verdicts[2].problems.map((p: { field: string }) => p.field.split('.')[0]))).toEqual(
      new Set(['fallback_url', 'utm', 'ends_at']),
    );
  });

  it('may be uploaded again: ids, slugs and rows under an Idempotency-Key are recognised, others’ are not theirs', async () => {
    const rows = [
      link({ id: randomUUID() }),
      link({ slug: 'again-slug' }),
      link({ id: randomUUID(), slug: 'again-both', sub_ids: { sub1: 'a' } }),
      link(),
    ];
    const how = { headers: { 'idempotency-key': 'spring-upload' } };
    const first = await upload(ndjson(rows), how);
    const before = await count();
    const again = await upload(ndjson(rows), { ...how, replica: 1 });
    expect(first.last).toMatchObject({ created: 4 });
    expect(again.verdicts).toEqual(first.verdicts.map((v) => ({ ...v, status: 'exists' })));
    expect(again.last).toEqual({ ...first.last, created: 0, exists: 4 });
    expect(await count()).toBe(before);
    const changed = rows.slice(0, 3).map((row) => ({ ...row, destination: 'https://shop.example/other' }));
    expect((await upload(ndjson(changed))).verdicts.map((v) => v.code)).toEqual(['conflict', 'slug_taken', 'conflict']);
    const other = await furnished(harness, 'Other');
    const theirs = {
      program_id: other.programId,
      partner_id: other.partnerId,
      destination: 'https://shop.example/spring',
      slug: 'again-slug',
    };
    const taken = await upload(ndjson([theirs, theirs]), { headers: { 'baton-tenant': other.tenantId } });
    expect(taken.verdicts.map((v) => v.code)).toEqual(['slug_taken', 'slug_taken']);
    expect(JSON.stringify(taken.verdicts)).not.toContain(first.verdicts[1].id);
  });

  it('read as repeats of single creations, and the other way round', async () => {
    const [single, bulk] = [link({ id: randomUUID() }), link({ id: randomUUID() })];
    const made = (await call('POST', '/v1/links', single)).body;
    expect((await upload(ndjson([single]))).verdicts[0]).toMatchObject({ status: 'exists', id: made.id, slug: made.slug });
    const { verdicts } = await upload(ndjson([bulk]));
    const repeated = await call('POST', '/v1/links', bulk);
    expect(repeated).toEqual({ status: 200, body: (await call('GET', `/v1/links/${verdicts[0].id}`)).body });
    const drawn = (await upload(ndjson([link()]))).verdicts[0];
    expect(await call('POST', '/v1/links', link({ id: drawn.id }))).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });

  it('contradict each other within one upload: the first row holds', async () => {
    const id = randomUUID();
    const rows = [
      link({ id }),
      link({ id }),
      link({ id, sub1: 'x' }),
      link({ slug: 'twice' }),
      link({ slug: 'twice' }),
      link({ slug: 'twice', sub1: 'x' }),
    ];
    const { verdicts } = await upload(ndjson(rows));
    expect(verdicts.map((v) => v.code ?? v.status)).toEqual(['created', 'exists', 'conflict', 'created', 'exists', 'slug_taken']);
    expect(verdicts[1].id).toBe(id);
  });

  it('are only looked at in a dry run', async () => {
    const before = [await count(), (await call('GET', '/v1/catalog')).body.version];
    await call('POST', '/v1/links', link({ slug: 'dry-taken' }));
    const { verdicts, last } = await upload(ndjson([link({ slug: 'dry' }), link({ slug: 'dry-taken', sub1: 'x' }), link({ slug: '!' })]), {
      query: '?dry_run=true',
    });
    expect(verdicts.map((v) => v.code ?? v.status)).toEqual(['created', 'slug_taken', 'malformed']);
    expect(last).toEqual({ done: true, rows: 3, created: 1, exists: 0, rejected: 2, catalog_version: null });
    expect([await count(), (await call('GET', '/v1/catalog')).body.version]).toEqual([before[0]! + 1, before[1] + 1]);
  });

  it.each([
    ['another content type', 'x', { type: 'application/json' }, 415, 'unsupported_media_type'],
    ['no key', 'x', { headers: { authorization: 'Bearer nobody' } }, 401, 'unauthorised'],
    ['no tenant', 'x', { headers: { 'baton-tenant': '' } }, 400, 'tenant_missing'],
    ['a parameter that is none', 'x', { query: '?dry_run=yes&resume_from=0' }, 400, 'malformed'],
    ['a header with unknown columns', 'program_id,partner_id,destination,color\n', { type: 'text/csv' }, 400, 'malformed'],
    ['a header without the columns that each link needs', 'slug\nx\n', { type: 'text/csv' }, 400, 'malformed'],
  ])('are refused as a whole before the first row: %s', async (_name, body, how: Upload, status, code) => {
    const answer = await send(body, how);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([status, 'application/problem+json; charset=utf-8']);
    expect(await answer.json()).toMatchObject({ code });
  });

  it('are described like every other route', async () => {
    const { paths } = (await call('GET', '/openapi.json')).body;
    expect(paths['/v1/links:bulk'].post.requestBody.content['application/x-ndjson'].schema.required).toEqual([
      'destination',
      'partner_id',
      'program_id',
    ]);
    expect(paths['/v1/links'].post).toBeDefined();
  });

  it('come in any number: 20,000 in one upload, streamed both ways, all in Kafka’s outbox in the order of their versions', async () => {
    async function* rows() {
      for (let i = 0; i < 20_000; i++) yield Buffer.from(`${JSON.stringify(link({ slug: `many-${i}`, sub1: String(i) }))}\n`);
    }
    const { verdicts, last } = await upload(Readable.from(rows()));
    expect(last).toMatchObject({ done: true, rows: 20_000, created: 20_000, exists: 0, rejected: 0 });
    expect(verdicts.map((v) => v.row)).toEqual(Array.from({ length: 20_000 }, (_, i) => i + 1));
    expect(new Set(verdicts.map((v) => v.number)).size).toBe(20_000);
    const client = new Client({ connectionString: harness.db.adminUrl });
    await client.connect();
    const { rows: ordered } = await client.query<{ same: boolean }>(
      `SELECT array_agg(v ORDER BY id) = array_agg(v ORDER BY v) AS same FROM (SELECT id, (value::json->>'catalogVersion')::bigint AS v FROM outbox) o`,
    );
    expect(ordered[0]?.same).toBe(true);
    await eventually(async () => (await client.query('SELECT FROM outbox WHERE published_at IS NULL LIMIT 1')).rowCount === 0, 60_000);
    await client.end();
  });
});
