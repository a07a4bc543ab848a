// Reference: what many an ingest does. Fastify, and one INSERT a request, each its own transaction. It knows nobody, checks nothing and tells Kafka nothing.
import { createHash, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import pg from 'pg';
import { HEADERS, receiptOf } from './reference-ingest.mjs';

const { fastify } = createRequire(createRequire(import.meta.url).resolve('@nestjs/platform-fastify'))('fastify');
const TENANT = '10000000-0000-4000-8000-000000000000';
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_MAX) });
// Prepared once a connection: the quickest that pg offers.
const INSERT = {
  name: 'insert',
  text: `INSERT INTO facts (tenant_id, fact_id, external_id, receipt_id, data, received_at) VALUES ($1, $2, $3, $4, $5, now())
         ON CONFLICT (tenant_id, fact_id) DO NOTHING`,
};
const server = fastify();
server.post('/v1/conversions', async (request, reply) => {
  const { external_id: externalId } = request.body;
  const factId = createHash('sha256').update(externalId).digest('hex').slice(0, 32);
  const receiptId = randomUUID();
  const { rowCount } = await pool.query({ ...INSERT, values: [TENANT, factId, externalId, receiptId, request.body] });
  return reply
    .code(rowCount === 1 ? 201 : 200)
    .headers(HEADERS)
    .send(receiptOf(receiptId, externalId));
});
await server.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
