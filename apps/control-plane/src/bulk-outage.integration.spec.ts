import { eventually, stores } from '@baton/testing';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { ADMIN_KEY, furnished, type Harness, startHarness } from './testing';

jest.setTimeout(120_000);

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Line = any;

const cli = join(__dirname, '../../cli/dist/main.js');

describe('an upload of links that is broken off', () => {
  let harness: Harness;
  let tenantId: string;
  let programId: string;
  let partnerId: string;
  let folder: string;
  beforeAll(async () => {
    harness = await startHarness();
    ({ tenantId, programId, partnerId } = await furnished(harness));
    folder = mkdtempSync(join(tmpdir(), 'baton-bulk-'));
  });
  afterAll(async () => {
    await harness.stop();
    rmSync(folder, { recursive: true });
  });

  const rows = (from: number, to: number): string =>
    Array.from(
      { length: to - from + 1 },
      (_, i) => `${JSON.stringify({ program_id: programId, partner_id: partnerId, destination: `https://shop.example/${from + i}` })}\n`,
    ).join('');

  const query = async (sql: string, url = stores().postgresAdminUrl): Promise<Line[]> => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      return (await client.query(sql)).rows;
    } finally {
      await client.end();
    }
  };
  const count = async (): Promise<number> => (await query('SELECT count(*)::int AS n FROM links', harness.db.adminUrl))[0].n;
  const databaseAway = async (): Promise<void> => {
    await query(`ALTER DATABASE "${harness.db.database}" CONNECTION LIMIT 0`);
    await query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${harness.db.database}'`);
  };
  const databaseBack = () => query(`ALTER DATABASE "${harness.db.database}" CONNECTION LIMIT -1`);

  /** An upload by hand: what is written when, and what was told so far. */
  const open = (how: string, key: string) => {
    const told: Line[] = [];
    const sending = request(`${harness.urls[0]}/v1/links:bulk${how}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${ADMIN_KEY}`,
        'baton-tenant': tenantId,
        'content-type': 'application/x-ndjson',
        'idempotency-key': key,
      },
    });
    const end = new Promise<'ended' | 'broken'>((resolve) => {
      sending.once('error', () => resolve('broken'));
      sending.once('response', (answer) => {
        let text = '';
        answer.on('error', () => resolve('broken'));
        answer.on('end', () => {
          if (text !== '') told.push(JSON.parse(text) as Line);
          resolve('ended');
        });
        answer.on('data', (chunk) => {
          const lines = (text + String(chunk)).split('\n');
          text = lines.pop() ?? '';
          told.push(...lines.map((line) => JSON.parse(line) as Line));
        });
      });
    });
    return { sending, told, end };
  };
  const whole = async (how: string, key: string, text: string): Promise<Line> => {
    const { sending, told, end } = open(how, key);
    sending.end(text);
    await end;
    return told.at(-1);
  };

  it('by the database says where to go on, and going on there makes every link once', async () => {
    const before = await count();
    const { sending, told, end } = open('', 'database');
    sending.write(rows(1, 2_500));
    await eventually(() => told.length >= 2_500, 20_000);
    await databaseAway();
    sending.write(rows(2_501, 5_000));
    await end;
    expect(told.at(-1)).toEqual({
      done: false,
      code: 'unavailable',
      rows: 2_500,
      created: 2_500,
      exists: 0,
      rejected: 0,
      resume_from: 2_501,
    });
    await databaseBack();
    await eventually(async () => (await harness.operator()('GET', '/readyz')).status === 200, 20_000);
    expect(await whole(`?verdicts=rejected&resume_from=2501`, 'database', rows(1, 5_000))).toMatchObject({
      done: true,
      rows: 5_000,
      created: 2_500,
      exists: 0,
    });
    expect(await count()).toBe(before + 5_000);
    sending.destroy();
  });

  it('by whoever sends keeps what was stored, and the whole upload again makes the rest', async () => {
    const before = await count();
    const { sending, told, end } = open('', 'sender');
    sending.write(rows(1, 1_500) + '{"half a r');
    await eventually(() => told.length >= 1_500, 20_000);
    sending.destroy();
    await end;
    expect(await whole('?verdicts=rejected', 'sender', rows(1, 2_000))).toMatchObject({
      done: true,
      created: 500,
      exists: 1_500,
      rejected: 0,
    });
    expect(await count()).toBe(before + 2_000);
  });

  it('is gone on with by `baton links import`, which tells what was rejected', async () => {
    const before = await count();
    const [file, rejects] = [join(folder, 'links.csv'), join(folder, 'rejects.ndjson')];
    const lines = Array.from(
      { length: 3_000 },
      (_, i) => `${programId},${partnerId},https://${i === 1_700 ? 'evil' : 'shop'}.example/${i},${i}`,
    );
    writeFileSync(file, ['program_id,partner_id,destination,sub1', ...lines, '"broken"x,,,'].join('\n'));
    await databaseAway();
    const run = spawn(
      process.execPath,
      [cli, 'links', 'import', file, '--api', harness.urls[0] as string, '--tenant', tenantId, '--rejects', rejects],
      { env: { ...process.env, BATON_API_KEY: ADMIN_KEY } },
    );
    let [out, errors] = ['', ''];
    run.stdout.on('data', (chunk) => (out += String(chunk)));
    run.stderr.on('data', (chunk) => (errors += String(chunk)));
    const code = new Promise((resolve) => run.once('exit', resolve));
    await eventually(() => errors.includes('going on from row 1 in'), 20_000);
    await databaseBack();
    expect([await code, out]).toEqual([
      2,
      expect.stringMatching(/^3001 rows: 2999 created, 0 were there, 2 rejected; live from catalog version \d+ on\n$/),
    ]);
    const told = readFileSync(rejects, 'utf8').trim().split('\n').map((line) => JSON.parse(line) as Line); // prettier-ignore
    expect(told).toMatchObject([
      { row: 1_701, code: 'destination_refused', problems: [{ field: 'destination' }] },
      { row: 3_001, code: 'malformed' },
    ]);
    expect(await count()).toBe(before + 2_999);
  });

  it('before it began says why, however much is still to be sent', async () => {
    const file = join(folder, 'large.ndjson');
    writeFileSync(file, rows(1, 100_000));
    const run = spawn(process.execPath, [cli, 'links', 'import', file, '--api', harness.urls[0] as string], {
      env: { ...process.env, BATON_API_KEY: 'nobody' },
    });
    let errors = '';
    run.stderr.on('data', (chunk) => (errors += String(chunk)));
    expect(await new Promise((resolve) => run.once('exit', resolve))).toBe(1);
    expect(errors).toBe('baton: control-plane refused the upload: 401 This key is not known, was revoked or has expired.\n');
  });

  it('is one of eight at most', async () => {
    const uploads = Array.from({ length: 8 }, (_, i) => open('', `many-${i}`));
    for (const { sending } of uploads) sending.write(rows(1, 1));
    await eventually(() => uploads.every(({ told }) => told.length >= 1), 20_000);
    const ninth = open('', 'ninth');
    ninth.sending.write(rows(1, 1));
    await ninth.end;
    expect(ninth.told).toMatchObject([{ status: 429, code: 'over_quota' }]);
    uploads[0]?.sending.end();
    expect([await uploads[0]?.end, uploads[0]?.told.at(-1)]).toMatchObject(['ended', { done: true }]);
    expect(await whole('', 'ninth', rows(1, 1))).toMatchObject({ done: true, created: 1 });
    for (const { sending } of uploads) sending.destroy();
    for (const { end } of uploads) await end;
  });

  it('by a stop of the service does not hold the stop up', async () => {
    const { sending, told, end } = open('', 'stop');
    sending.write(rows(1, 1_000));
    await eventually(() => told.length >= 1_000, 20_000);
    const stopped = harness.stop();
    sending.write(rows(1_001, 2_000));
    expect([await end, told.at(-1)]).toMatchObject(['ended', { done: false, code: 'unavailable', resume_from: 1_001 }]);
    sending.destroy();
    await stopped;
    harness = { ...harness, stop: () => Promise.resolve() };
  });
});
