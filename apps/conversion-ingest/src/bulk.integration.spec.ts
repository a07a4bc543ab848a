import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { type Account, type Json, openWorld, order, type World } from './ingest.world';

interface Upload {
  readonly type?: string;
  readonly query?: string;
  readonly key?: string;
  readonly replica?: number;
}

describe('a file of conversions, two replicas', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let other: Account;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    [acme, other] = [await world.account(11), await world.account(12)];
    for (const { key } of [acme, other]) for (const replica of [0, 1]) await eventually(() => world.knows(key, replica), 60_000);
    for (const { click, key } of [acme, other])
      await eventually(async () => (await world.convert({ click_id: click }, { key })).json['program_id'] !== null, 20_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const send = (body: string | Readable, { type = 'application/x-ndjson', query = '', key = acme.key, replica = 0 }: Upload = {}) =>
    fetch(`${world.replicas[replica]?.url}/v1/conversions:bulk${query}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': type },
      body: body as string,
      ...(typeof body === 'string' ? {} : { duplex: 'half' }),
    } as RequestInit);
  const upload = async (body: string | Readable, how: Upload = {}) => {
    const answer = await send(body, how);
    const lines = (await answer.text()).trim().split('\n').map((text) => JSON.parse(text) as Json); // prettier-ignore
    return { status: answer.status, verdicts: lines.filter((line) => 'row' in line), last: lines.at(-1) as Json };
  };
  const ndjson = (rows: readonly unknown[]): string => rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n');
  const facts = async () => Number((await world.rows('SELECT count(*)::int AS n FROM facts'))[0]?.['n']);

  it('is answered row by row, and a bad row names its line and its column', async () => {
    const header = '\ufeffexternal_id;customer_id;amount;currency;metadata.plan;line_items.0.sku;line_items.0.amount\r\n';
    const id = randomUUID();
    const rows = [
      `${id}-1;c1;12,30;EUR;"pro\r\n""max""";shoe;12,30`,
      `${id}-2;c1;12,345;EUR;;;`,
      `${id}-3;;5;EUR;;;`,
      ';;;;;;',
      `"${id}"-4;c1;5;EUR;;;`,
      `${id}-5;c1;500;JPY;;;`,
      `${id}-1;c1;12,30;EUR;"pro\r\n""max""";shoe;12,30`,
      `${id}-6;c1;-5;EUR;;;`,
    ];
    const { status, verdicts, last } = await upload(header + rows.join('\r\n'), { type: 'text/csv; charset=utf-8' });
    expect([status, last]).toEqual([200, { done: true, rows: 7, accepted: 2, duplicate: 1, rejected: 4, validated: 0 }]);
    expect(verdicts.map(({ row, line, status: own, reason }) => [row, line, own, reason])).toEqual([
      [1, 2, 201, 'accepted'],
      [2, 4, 422, 'amount_invalid'],
      [3, 5, 422, 'evidence_missing'],
      [4, 7, 400, 'malformed'],
      [5, 8, 201, 'accepted'],
      [6, 9, 200, 'duplicate'],
      [7, 11, 422, 'amount_invalid'],
    ]);
    expect(verdicts[1]).toMatchObject({
      receipt_id: expect.any(String) as string,
      detail: 'Line 4, column amount: amount "12,345" has 3 digits behind its mark; EUR has 2',
      errors: [{ field: 'amount', column: 'amount' }],
    });
    expect(verdicts[3]?.['detail']).toMatch(/^Line 7: The row has text behind a closing quote/);
    expect(verdicts[6]).toMatchObject({
      detail: expect.stringMatching(/^Line 11, column amount: /) as string,
      errors: [{ field: 'amount_minor' }],
    });
    const [stored] = await world.rows(`SELECT value::json AS sent FROM outbox WHERE key = $1`, verdicts[0]?.['conversion_id']);
    expect(stored?.['sent']).toMatchObject({
      amountMinor: 1230,
      metadata: { plan: 'pro\r\n"max"' },
      lineItems: [{ sku: 'shoe', amountMinor: 1230 }],
    });
  });

  it('gives each row what it would have had alone, whatever the rows, their repeats and the pieces in which they arrive', async () => {
    let run = 0;
    const row = fc.record({
      id: fc.integer({ min: 0, max: 3 }),
      kind: fc.constantFrom('good', 'good', 'good', 'click', 'other amount', 'amount', 'currency', 'nobody', 'shape', 'old'),
    });
    const rowOf = (prefix: string, account: Account, { id, kind }: { id: number; kind: string }): Json => ({
      ...order({ external_id: `${prefix}-${id}` }),
      ...(kind === 'click' ? { click_id: account.click } : {}),
      ...(kind === 'other amount' ? { amount_minor: 7 } : {}),
      ...(kind === 'amount' ? { amount_minor: -1 } : {}),
      ...(kind === 'currency' ? { currency: 'EURO' } : {}),
      ...(kind === 'nobody' ? { customer_id: '' } : {}),
      ...(kind === 'shape' ? { quantity: 0 } : {}),
      ...(kind === 'old' ? { occurred_at: '2020-01-01T00:00:00Z' } : {}),
    });
    const verdict = (json: Json): unknown[] => [json['status'], json['verdict'] ?? 'rejected', json['reason'] ?? json['code']];
    const csv = (rows: readonly Json[]): string => {
      const columns = ['external_id', 'customer_id', 'click_id', 'amount_minor', 'currency', 'quantity', 'occurred_at'];
      return [columns, ...rows.map((one) => columns.map((name) => one[name] ?? ''))].map((cells) => cells.join(',')).join('\n');
    };
    await fc.assert(
      fc.asyncProperty(fc.array(row, { minLength: 1, maxLength: 12 }), fc.integer({ min: 1, max: 400 }), async (asked, pieceLength) => {
        const prefix = `p${run++}-${randomUUID()}`;
        const ways = await Promise.all(
          ['alone', 'batch', 'ndjson', 'csv'].map(async (way) => {
            const account = way === 'alone' || way === 'csv' ? acme : other;
            const rows = asked.map((one) => rowOf(`${prefix}-${way}`, account, one));
            if (way === 'alone') {
              const told: unknown[] = [];
              for (const [i, body] of rows.entries()) {
                const { status, json } = await world.call('/v1/conversions', body, { key: account.key, replica: i % 2 });
                const isRepeat = status === 200;
                told.push(verdict({ ...json, status, ...(isRepeat ? { verdict: 'duplicate', reason: 'duplicate' } : {}) }));
              }
              return told;
            }
            if (way === 'batch')
              return ((await world.call('/v1/conversions/batch', { conversions: rows }, { key: account.key })).json['items'] as Json[]).map(
                verdict,
              );
            const text = way === 'csv' ? csv(rows) : ndjson(rows);
            const pieces = Array.from({ length: Math.ceil(text.length / pieceLength) }, (_, i) =>
              Buffer.from(text.slice(i * pieceLength, (i + 1) * pieceLength)),
            );
            const type = way === 'csv' ? 'text/csv' : 'application/x-ndjson';
            return (await upload(Readable.from(pieces), { type, key: account.key, replica: 1 })).verdicts.map(verdict);
          }),
        );
        for (const way of ways.slice(1)) expect(way).toEqual(ways[0]);
      }),
      { numRuns: 25 },
    );
  });

  it('sent in halves to two replicas at once, and then whole, is stored once with one receipt each', async () => {
    const rows = Array.from({ length: 600 }, () => order());
    const before = await facts();
    const [left, right] = await Promise.all([
      upload(ndjson(rows.slice(0, 400)), { replica: 0 }),
      upload(ndjson(rows.slice(200)), { replica: 1 }),
    ]);
    const whole = await upload(ndjson(rows));
    expect(whole.last).toEqual({ done: true, rows: 600, accepted: 0, duplicate: 600, rejected: 0, validated: 0 });
    const receipts = (verdicts: readonly Json[]) => verdicts.map(({ receipt_id: id }) => id);
    expect(receipts(left!.verdicts)).toEqual(receipts(whole.verdicts.slice(0, 400)));
    expect(receipts(right!.verdicts)).toEqual(receipts(whole.verdicts.slice(200)));
    expect(await facts()).toBe(before + 600);
  });

  it('is only looked at in a dry run', async () => {
    const counted = async () => [await facts(), (await world.rows('SELECT count(*)::int AS n FROM rejections'))[0]];
    const before = await counted();
    const { verdicts, last } = await upload(ndjson([order(), order({ currency: 'x' }), '{']), { query: '?validate_only=true' });
    expect(last).toEqual({ done: true, rows: 3, accepted: 0, duplicate: 0, rejected: 2, validated: 1 });
    expect(verdicts.map(({ reason, receipt_id: id }) => [reason, id])).toEqual([
      ['validated', null],
      ['currency_unknown', null],
      ['malformed', null],
    ]);
    expect(await counted()).toEqual(before);
  });

  it('of which only the rejected rows are wanted, from a row on, says so much and no more', async () => {
    const rows = [order(), '{', order({ reason: 'as a file of rejected rows has it', detail: 'too' }), order({ currency: 'x' })];
    const { verdicts, last } = await upload(ndjson(rows), { query: '?verdicts=rejected&resume_from=3' });
    expect(verdicts.map(({ row, reason }) => [row, reason])).toEqual([[4, 'currency_unknown']]);
    expect(last).toEqual({ done: true, rows: 4, accepted: 1, duplicate: 0, rejected: 1, validated: 0 });
  });

  it.each([
    ['another content type', { type: 'application/json' }, '{}', 415, 'unsupported_media_type'],
    ['no key', { key: 'nobody' }, '{}', 401, 'unauthorised'],
    ['a parameter that is none', { query: '?validate_only=yes' }, '{}', 400, 'malformed'],
    ['a header with unknown columns', { type: 'text/csv' }, 'external_id,colour\nx,y', 400, 'malformed'],
    ['a header without ids', { type: 'text/csv' }, 'amount\n1', 400, 'malformed'],
  ])('is refused as a whole before the first row: %s', async (_what, how, body, status, code) => {
    const answer = await send(body, how);
    expect([answer.status, answer.headers.get('content-type'), ((await answer.json()) as Json)['code']]).toEqual([
      status,
      'application/problem+json; charset=utf-8',
      code,
    ]);
  });

  it('whose connection is cut keeps what was answered, and a repeat stores the rest', async () => {
    const rows = Array.from({ length: 700 }, () => order());
    const before = await facts();
    let told = '';
    const sending = request(`${world.replicas[0]?.url}/v1/conversions:bulk`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acme.key}`, 'content-type': 'application/x-ndjson' },
    });
    sending.on('response', (answer) => answer.on('error', () => undefined).on('data', (chunk) => (told += String(chunk))));
    sending.on('error', () => undefined);
    sending.write(`${ndjson(rows.slice(0, 400))}\n${JSON.stringify(rows[400]).slice(0, 20)}`);
    await eventually(() => told.match(/^\{"row":.*\n/gm)?.length === 400, 20_000);
    sending.destroy();
    const answered = told.trim().split('\n').map((text) => JSON.parse(text) as Json).filter((line) => 'row' in line); // prettier-ignore
    expect(answered).toHaveLength(400);
    expect(await facts()).toBe(before + 400);
    const { verdicts, last } = await upload(ndjson(rows), { replica: 1 });
    expect(last).toMatchObject({ done: true, accepted: 300, duplicate: 400 });
    expect(verdicts.slice(0, 400).map(({ receipt_id: id }) => id)).toEqual(answered.map(({ receipt_id: id }) => id));
  });
});
