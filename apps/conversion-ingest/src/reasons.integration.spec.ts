import { REASON_CODES, type ReasonCode } from '@baton/contracts';
import { mintApiKey } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { type Account, apiKey, type Asking, clickOf, customerOf, type Json, openWorld, order, program, type World } from './ingest.world';

const DAY_MS = 86_400_000;
const PAUSED = '22222222-2222-4222-8222-222222222222';
/** The others are the catalog's, of keys with limits (keys.integration.spec.ts), or need a store to be down (outage.integration.spec.ts). */
const ELSEWHERE: readonly string[] =
  'operator_only tenant_missing tenant_mismatch slug_taken key_taken domain_taken utm_refused destination_refused partner_unknown terms_in_past deleted over_quota unavailable internal ignored address_not_allowed signature_invalid signature_expired'.split(
    ' ',
  );

describe('every answer', () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let readOnly: string;
  const call = (path: string, body: unknown, asking: Asking = {}) => world.call(path, body, { key: acme.key, ...asking });
  const convert = (more: Json = {}, asking: Asking = {}) => call('/v1/conversions', order(more), asking);

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    const key = apiKey(acme.tenantId, { scopes: ['receipts:read'] });
    readOnly = key.text;
    const sharer = randomUUID();
    await world.publish([
      ...customerOf(acme, { id: sharer, customerId: 'sharer', linkNumber: 77 }),
      program(acme.tenantId, PAUSED, 1, 'disabled'),
      key.event,
    ]);
    for (const known of [acme.key, readOnly]) await eventually(() => world.knows(known), 60_000);
    await eventually(async () => (await convert({ program_id: PAUSED })).json['code'] === 'program_paused', 20_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const fixtures: Partial<Record<ReasonCode, () => ReturnType<typeof call>>> = {
    accepted: () => convert(),
    duplicate: async () => (
      await call('/v1/reversals', { external_id: 'twice' }),
      call('/v1/reversals', { external_id: 'twice' }, { replica: 1 })
    ),
    conflict: async () => (
      await convert({ external_id: 'conflict' }),
      convert({ external_id: 'conflict', amount_minor: 1 }, { replica: 1 })
    ),
    click_forged: () => convert({ customer_id: null, click_id: acme.click.toLowerCase() }),
    click_unknown: () => convert({ customer_id: null, click_id: 'gclid-of-somebody-else' }),
    outside_window: () => convert({ customer_id: null, click_id: clickOf(acme.tenantId, acme.linkNumber, Date.now() - 31 * DAY_MS) }),
    validated: () => call('/v1/conversions', order({ validate_only: true })),
    idempotency_key_invalid: () => convert({}, { headers: { 'idempotency-key': '"' } }),
    idempotency_key_reused: async () => (
      await convert({ external_id: 'keyed' }, { headers: { 'idempotency-key': 'k1' } }),
      convert({ external_id: 'keyed-2' }, { headers: { 'idempotency-key': '"k1"' }, replica: 1 })
    ),
    evidence_missing: () => convert({ customer_id: null }),
    program_unknown: () => convert({ program_id: randomUUID() }),
    program_paused: () => convert({ program_id: PAUSED }),
    currency_unknown: () => convert({ currency: 'eur' }),
    currency_mismatch: async () => (
      await convert({ external_id: 'reversed' }),
      call('/v1/reversals', { external_id: 'reversed', currency: 'USD' })
    ),
    amount_invalid: () => convert({ amount_minor: 1.5 }),
    confirm_needed: async () => (
      await convert({ external_id: 'by-mail', email: 'a@b' }),
      call('/v1/reversals', { email: 'a@b' }, { replica: 1 })
    ),
    reversal_unknown: () => call('/v1/reversals', { receipt_id: randomUUID() }),
    line_unknown: async () => (
      await convert({ external_id: 'no-lines' }),
      call('/v1/reversals', { external_id: 'no-lines', line_items: [{ sku: 'x' }] })
    ),
    selection_too_large: async () => (await manyOf(acme.tenantId, 2_001), call('/v1/reversals', { customer_id: 'of-many', confirm: true })),
    reversal_id_missing: () => call('/v1/reversals', { external_id: 'reversed', amount_minor: 1 }),
    identifiers_missing: () => call('/v1/identities', { customer_id: 'c' }),
    self_referral: () => convert({ customer_id: 'sharer', click_id: clickOf(acme.tenantId, 77) }),
    too_old: () => convert({ occurred_at: new Date(Date.now() - 401 * DAY_MS).toISOString() }),
    in_future: () => convert({ occurred_at: new Date(Date.now() + 600_000).toISOString() }),
    malformed: () => convert({ metadata: { a: 'x\u0000' } }),
    too_large: () => convert({ metadata: { a: 'x'.repeat(70_000) } }),
    unsupported_media_type: () => call('/v1/conversions', 'a=b', { headers: { 'content-type': 'application/x-www-form-urlencoded' } }),
    unauthorised: () => convert({}, { key: mintApiKey(false).text }),
    scope_missing: () => convert({}, { key: readOnly }),
    not_found: () => call('/v1/receipts/not-one', undefined),
  };
  /** As many conversions as one request may not take back, past the door: they are there, and were never sent. */
  const manyOf = (tenantId: string, count: number) =>
    world.rows(
      `INSERT INTO facts (tenant_id, fact_id, kind, receipt_id, external_id, body_hash, answer, data, received_at)
       SELECT $1::uuid, md5('fact' || n)::uuid, 'conversion', md5('receipt' || n)::uuid, 'many-' || n, md5('')::uuid, '{}', '{"customerId":"of-many","test":false}', now()
       FROM generate_series(1, $2::int) AS n ON CONFLICT DO NOTHING`,
      tenantId,
      count,
    );
  const countRows = async () =>
    (
      await world.rows(
        `SELECT (SELECT count(*)::int FROM facts WHERE data->>'customerId' IS DISTINCT FROM 'of-many') AS facts, (SELECT count(*)::int FROM outbox) AS outbox`,
      )
    )[0] as {
      facts: number;
      outbox: number;
    };

  it.each(Object.keys(REASON_CODES).filter((code) => !ELSEWHERE.includes(code)))(
    '%s: has its status, is counted, and nothing is stored unless it is accepted',
    async (name) => {
      const code = name as ReasonCode;
      const fixture = fixtures[code] as () => ReturnType<typeof call>;
      const answer = await fixture();
      expect([answer.headers.get('baton-reason'), answer.status]).toEqual([code, REASON_CODES[code].status]);
      if (answer.status >= 400)
        expect(answer.json).toMatchObject({ code, status: answer.status, title: expect.any(String), detail: expect.any(String) });
      // What a fixture needs beforehand is stored by now: the second time only the answer in question could add a row.
      const before = await countRows();
      await fixture();
      const after = await countRows();
      expect(after.facts - before.facts).toBe(code === 'accepted' ? 1 : 0);
      expect(after.facts).toBe(after.outbox);
      if (code === 'not_found') return;
      const metrics = await (await fetch(`${world.replicas[0]?.url}/metrics`)).text();
      expect(metrics).toMatch(new RegExp(`baton_ingest_answered_total\\{[^}]*verdict="[a-z]+",reason="${code}"`));
    },
  );

  it('keeps to the API’s description', async () => {
    const api = (await world.call('/openapi.json', undefined)).json as { paths: Json };
    const { paths } = api;
    expect(Object.keys(paths).sort()).toEqual([
      '/v1/conversions',
      '/v1/conversions/batch',
      '/v1/conversions:bulk',
      '/v1/deep-links/claim',
      '/v1/doors',
      '/v1/doors/{door}',
      '/v1/doors/{door}/endpoints',
      '/v1/doors/{door}/endpoints/{id}',
      '/v1/identities',
      '/v1/keys/current',
      '/v1/receipts',
      '/v1/receipts/{id}',
      '/v1/reversals',
      '/v1/verifications',
    ]);
    const ajv = addFormats(new Ajv({ strict: false, allErrors: true })).addSchema({ ...api, $id: 'api' });
    const described = (path: string, method: string, answer: Awaited<ReturnType<typeof call>>): void => {
      const [status, type] = answer.status < 400 ? [answer.status, 'application~1json'] : ['default', 'application~1problem+json'];
      const schema =
        status === 'default'
          ? 'api#/components/schemas/Problem'
          : `api#/paths/${path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method}/responses/${status}/content/${type}/schema`;
      const holds = ajv.compile({ $ref: schema });
      expect([path, holds(answer.json) ? [] : holds.errors, answer.json]).toEqual([path, [], answer.json]);
    };
    const account = { key: acme.key };
    const answers = [
      ['/v1/conversions', await convert({ click_id: 'no-click', line_items: [{ sku: 'a', amount_minor: 1 }], order_id: 'o1' })],
      ['/v1/conversions', await convert({ external_id: 'described' })],
      ['/v1/conversions', await convert({ external_id: 'described' }, { replica: 1 })],
      ['/v1/conversions', await convert({ external_id: 'described', currency: 'USD' })],
      ['/v1/conversions', await convert({ validate_only: true })],
      ['/v1/conversions', await convert({ nonsense: 1 })],
      ['/v1/conversions', await convert({ type: 'signup', pending_verification: true, click_id: acme.click })],
      ['/v1/reversals', await call('/v1/reversals', { external_id: 'described', reversal_id: 'r1', amount_minor: 10, currency: 'EUR' })],
      ['/v1/reversals', await call('/v1/reversals', { order_id: 'o1', dry_run: true })],
      ['/v1/reversals', await call('/v1/reversals', { order_id: 'o1' })],
      ['/v1/reversals', await call('/v1/reversals', { email: 'nobody@x' })],
      ['/v1/identities', await call('/v1/identities', { customer_id: 'c', visitor_id: 'v' })],
      ['/v1/verifications', await call('/v1/verifications', { external_id: 'described' })],
    ] as const;
    for (const [path, answer] of answers) described(path, 'post', answer);
    for (const [, { headers }] of answers) {
      const receipt = headers.get('baton-receipt');
      if (receipt) described('/v1/receipts/{id}', 'get', await world.call(`/v1/receipts/${receipt}`, undefined, account));
    }
    described('/v1/receipts', 'get', await world.call('/v1/receipts?external_id=described', undefined, account));
    described('/v1/keys/current', 'get', await world.call('/v1/keys/current', undefined, account));
  });

  it('is no 5xx, whatever the body, and what was stored is exactly what was said to be', async () => {
    const { tenantId, key } = await world.account(15);
    await eventually(() => world.knows(key), 20_000);
    const occurred_at = new Date().toISOString();
    const shapes: Record<string, Json> = {
      '/v1/conversions': order({
        click_id: acme.click,
        email: 'a@b',
        occurred_at,
        quantity: 1,
        line_items: [{ amount_minor: 1 }],
        metadata: { a: 'b' },
        sub_ids: {},
      }),
      '/v1/reversals': { external_id: 'x', reversal_id: 'r', amount_minor: 1, currency: 'EUR', reason: 'none', occurred_at, confirm: true },
      '/v1/identities': { click_id: acme.click, customer_id: 'c', email: 'a@b', visitor_id: 'v' },
      '/v1/verifications': { external_id: 'x', occurred_at },
    };
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' }),
      fc.string({ unit: 'binary' }),
      fc.constant('\ud800'),
      fc.double(),
    );
    const bodies = fc.constantFrom(...Object.keys(shapes)).chain((path) => {
      const fields = Object.keys(shapes[path] as Json);
      return fc.record({
        path: fc.constant(path),
        fields: fc.subarray(fields, { minLength: Math.min(3, fields.length) }),
        id: fc.oneof(fc.uuid(), fc.string({ unit: 'binary', maxLength: 300 })),
        wild: fc.dictionary(fc.oneof(fc.constantFrom(...fields), fc.string({ unit: 'binary' })), value, { maxKeys: 2 }),
      });
    });
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(bodies, async ({ path, fields, id, wild }) => {
        const body = Object.fromEntries(
          fields.map((field) => [field, field.endsWith('_id') && field !== 'click_id' ? id : shapes[path]?.[field]]),
        );
        const answer = await call(path, { ...body, ...wild }, { key });
        if (answer.status === 201) accepted++;
        if (answer.status >= 500) throw new Error(answer.text);
      }),
      { numRuns: 500 },
    );
    expect(accepted).toBeGreaterThan(10);
    expect(await world.rows('SELECT 1 FROM facts WHERE tenant_id = $1', tenantId)).toHaveLength(accepted);
    expect(await world.rows(`SELECT 1 FROM outbox WHERE headers->>'ce_tenant' = $1`, tenantId)).toHaveLength(accepted);
  }, 60_000);
});
