const { randomBytes, randomUUID } = require('node:crypto');
const { bootstrapDatabases, dropDatabases, migrate } = require('@baton/platform');
const { Client } = require('pg');
(async () => {
  const options = { adminUrl: process.env.POSTGRES_ADMIN_URL, databasePrefix: `pgx${randomBytes(3).toString('hex')}_`, password: process.env.DATABASE_PASSWORD, services: ['conversion-ingest'] };
  const urls = (await bootstrapDatabases(options)).get('conversion-ingest');
  await migrate({ ownerUrl: urls.owner, folder: 'apps/conversion-ingest/prisma' });
  const adminUrl = new URL(process.env.POSTGRES_ADMIN_URL); adminUrl.pathname = '/' + urls.database;
  const admin = new Client({ connectionString: adminUrl.toString() }); await admin.connect();
  await admin.query('select baton_outbox_maintain()').catch(e => console.log(e.message));
  const c = new Client({ connectionString: urls.api, pipeline: true }); await c.connect();
  const tenant = randomUUID();
  const N = Number(process.env.N || 32);
  const SQL = process.env.SQLFILE ? require('fs').readFileSync(process.env.SQLFILE, 'utf8') : null;
  const rows = () => Array.from({ length: N }, () => {
    const f = randomUUID();
    const data = { tenantId: tenant, conversionId: f, externalId: 'order-abc-' + f, clickId: randomBytes(24).toString('base64url'), customerId: 'customer-' + (Math.random() * 50000 | 0), emailHash: randomBytes(32).toString('hex'), type: 'sale', amountMinor: 1000, currency: 'EUR', occurredAt: new Date().toISOString(), receivedAt: new Date().toISOString(), couponCode: 'SPRING', lineItems: [{ sku: 'sku-1', category: 'garden', quantity: 1, amountMinor: 1000 }], metadata: { store: 'berlin', channel: 'web' }, test: false, receiptId: randomUUID(), droppedEvidence: [] };
    const answer = { receipt_id: data.receiptId, verdict: 'accepted', reason: 'accepted', kind: 'conversion', conversion_id: f, external_id: data.externalId, program_id: randomUUID(), received_at: data.receivedAt, occurred_at: data.occurredAt, dropped_evidence: [], test: false };
    return { topic: 'baton.conversions.v1', key: f, value: JSON.stringify(data), headers: { ce_specversion: '1.0', ce_id: f, ce_source: '/baton/x', ce_type: 'baton.conversion.received.v1', ce_time: data.occurredAt, ce_dataschema: 'urn:baton:schema:conversion:v1', ce_tenant: tenant, 'content-type': 'application/json', traceparent: '00-' + randomBytes(16).toString('hex') + '-' + randomBytes(8).toString('hex') + '-01' },
      tenantId: tenant, factId: f, kind: 'conversion', receiptId: data.receiptId, externalId: data.externalId, bodyHash: randomUUID(), coreHash: randomUUID(), door: 'api', orderId: undefined, answer: JSON.stringify(answer), data, receivedAt: data.receivedAt };
  });
  const src = require('fs').readFileSync('apps/conversion-ingest/dist/fact.store.js', 'utf8');
  const m = /`WITH given AS[\s\S]*?SELECT fact_id FROM stored`/.exec(src)[0].slice(1, -1);
  const ctx = { c, admin, tenant, rows, sql: m, N, urls };
  await require(process.env.CASE || '/work/tmp/pg/case.cjs')(ctx);
  await c.end(); await admin.end();
  await dropDatabases(options);
})().catch(e => { console.error(e); process.exit(1); });
