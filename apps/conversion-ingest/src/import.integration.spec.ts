import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { type Account, type Json, openWorld, order, type World } from './ingest.world';

const cli = join(__dirname, '../../cli/dist/main.js');

describe('baton import conversions', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let folder: string;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    for (const replica of [0, 1]) await eventually(() => world.knows(acme.key, replica), 60_000);
    await eventually(async () => (await world.convert({ click_id: acme.click }, { key: acme.key })).json['program_id'] !== null, 20_000);
    folder = mkdtempSync(join(tmpdir(), 'baton-import-'));
  }, 120_000);
  afterAll(async () => {
    rmSync(folder, { recursive: true });
    await world?.close();
    await db?.drop();
  }, 60_000);

  const fileOf = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const run = (args: readonly string[], { key = acme.key, replica = 0 } = {}) => {
    const child = spawn(process.execPath, [cli, 'import', 'conversions', ...args], {
      env: { ...process.env, BATON_API_KEY: key, BATON_INGEST_URL: world.replicas[replica]?.url },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said = { out: '', errors: '' };
    child.stdout.on('data', (chunk) => (said.out += String(chunk)));
    child.stderr.on('data', (chunk) => (said.errors += String(chunk)));
    return { said, end: new Promise<number | null>((resolve) => child.once('close', resolve)) };
  };
  const imported = async (...args: string[]) => {
    const { said, end } = run(args);
    return { code: await end, ...said };
  };
  const facts = async () => Number((await world.rows('SELECT count(*)::int AS n FROM facts'))[0]?.['n']);
  const administer = async (sql: string): Promise<void> => {
    const client = new Client({ connectionString: stores().postgresAdminUrl });
    await client.connect();
    await client.query(sql);
    await client.end();
  };
  const databaseAway = async (): Promise<void> => {
    await administer(`ALTER DATABASE "${db.database}" CONNECTION LIMIT 0`);
    await administer(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${db.database}' AND usename LIKE 'baton%'`);
  };
  const databaseBack = () => administer(`ALTER DATABASE "${db.database}" CONNECTION LIMIT -1`);

  it('takes a file, and again the same; what was rejected is mended and imported in turn', async () => {
    const id = randomUUID();
    const rows = [`${id}-1,c1,12.30,EUR,=pro`, `${id}-2,c1,12.345,EUR,-basic`, `${id}-3,,5,EUR,`, `${id}-4,c1,5,EUR,"a ""b"", c"`];
    const file = fileOf('orders.csv', ['external_id,customer_id,amount,currency,metadata.plan', ...rows].join('\r\n'));
    const rejects = join(folder, 'rejects.csv');
    const before = await facts();
    expect(await imported(file, '--dry-run')).toMatchObject({ code: 1, out: '4 rows: 2 would be taken, 0 were there, 2 rejected\n' });
    expect(await facts()).toBe(before);
    const first = await imported(file, '--rejects', rejects);
    expect(first).toMatchObject({ code: 1, out: '4 rows: 2 taken, 0 were there, 2 rejected\n' });
    expect(first.errors).toContain('1 amount_invalid');
    expect(readFileSync(rejects, 'utf8').split('\r\n')).toEqual([
      'external_id,customer_id,amount,currency,metadata.plan,reason,detail',
      `${id}-2,c1,12.345,EUR,'-basic,amount_invalid,"Line 3, column amount: amount ""12.345"" has 3 digits behind its mark; EUR has 2"`,
      `${id}-3,,5,EUR,,evidence_missing,"Line 4: Name at least one of click_id, customer_id, email, coupon_code, referral_code."`,
      '',
    ]);
    const mended = readFileSync(rejects, 'utf8').replace('12.345', '12.34').replace('-3,,5', '-3,c2,5');
    expect(await imported(fileOf('mended.csv', mended))).toMatchObject({ code: 0, out: '2 rows: 2 taken, 0 were there, 0 rejected\n' });
    expect(await facts()).toBe(before + 4);
    expect(await imported(file)).toMatchObject({ code: 1, out: '4 rows: 0 taken, 2 were there, 2 rejected\n' });
    // The text of a cell is the one that was written, whatever kept a spreadsheet from running it in between.
    const sent = await world.rows(`SELECT value::json->'metadata'->>'plan' AS plan FROM outbox WHERE value::json->>'externalId' LIKE $1 ORDER BY value::json->>'externalId'`, `${id}%`); // prettier-ignore
    expect(sent.map(({ plan }) => plan)).toEqual(['=pro', '-basic', null, 'a "b", c']);
  });

  it('goes on by itself when the service can be reached again', async () => {
    const before = await facts();
    const file = fileOf('many.ndjson', Array.from({ length: 1_000 }, () => JSON.stringify(order())).join('\n'));
    await databaseAway();
    const { said, end } = run([file], { replica: 1 });
    await eventually(() => said.errors.includes('going on from row 1 in'), 60_000);
    await databaseBack();
    expect([await end, said.out]).toEqual([0, '1000 rows: 1000 taken, 0 were there, 0 rejected\n']);
    expect(await facts()).toBe(before + 1_000);
  }, 120_000);

  it('finds an upload that the service ended where it could not go on', async () => {
    const before = await facts();
    const rows = Array.from({ length: 800 }, () => `${JSON.stringify(order())}\n`);
    const told: Json[] = [];
    const sending = request(`${world.replicas[0]?.url}/v1/conversions:bulk`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acme.key}`, 'content-type': 'application/x-ndjson' },
    });
    sending.on('error', () => undefined);
    sending.on('response', (answer) => {
      let text = '';
      answer.on('error', () => undefined);
      answer.on('data', (chunk) => {
        const lines = (text + String(chunk)).split('\n');
        text = lines.pop() ?? '';
        told.push(...lines.map((line) => JSON.parse(line) as Json));
      });
    });
    sending.write(rows.slice(0, 400).join(''));
    await eventually(() => told.filter((line) => 'row' in line).length === 400, 20_000);
    await databaseAway();
    sending.write(rows.slice(400).join(''));
    await eventually(() => 'done' in (told.at(-1) as Json), 60_000);
    expect(told.at(-1)).toMatchObject({ done: false, code: 'unavailable', rows: 400, accepted: 400, resume_from: 401 });
    sending.destroy();
    await databaseBack();
    const file = fileOf('rest.ndjson', rows.join(''));
    await eventually(async () => (await fetch(`${world.replicas[0]?.url}/readyz`)).status === 200, 60_000);
    expect(await imported(file, '--resume-from', '401')).toMatchObject({ code: 0, out: '800 rows: 400 taken, 0 were there, 0 rejected\n' });
    expect(await facts()).toBe(before + 800);
  }, 180_000);

  it('says at once what cannot work', async () => {
    const good = fileOf('good.csv', `external_id,customer_id,amount,currency\n${randomUUID()},c1,1,EUR\n`);
    const unknown = fileOf('unknown.csv', 'external_id,colour\nx,red\n');
    const cases: readonly [string[], { key?: string }, number, string][] = [
      [[good], { key: 'nobody' }, 2, 'refused the upload: 401 This key is not known'],
      [[unknown], {}, 2, 'refused the upload: 400 colour is not a column of conversions'],
      [['none.csv'], {}, 2, 'no such file'],
      [[join(folder, 'orders.xlsx')], {}, 2, 'is neither .csv nor .ndjson'],
      [[good, '--resume-from', '0'], {}, 2, 'whole number from 1'],
      [[good, '--rejects', good], {}, 2, 'names the file itself'],
      [[good, '--url', 'http://127.0.0.1:1', '--attempts', '1'], {}, 3, 'run the same again'],
    ];
    for (const [args, how, code, why] of cases) {
      const { said, end } = run(args, how);
      expect([args, await end]).toEqual([args, code]);
      expect(said.errors).toContain(why);
    }
  }, 60_000);
});
