// Reference: Fastify that reads the JSON and says "taken". It knows nobody, checks nothing and stores nothing.
import { createRequire } from 'node:module';
import { HEADERS, receiptOf } from './reference-ingest.mjs';

// Fastify comes with Nest's adapter, and is not a dependency of its own.
const { fastify } = createRequire(createRequire(import.meta.url).resolve('@nestjs/platform-fastify'))('fastify');
const server = fastify();
server.post('/v1/conversions', (request, reply) =>
  reply.code(202).headers(HEADERS).send(receiptOf(HEADERS['Baton-Receipt'], request.body.external_id)),
);
await server.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
