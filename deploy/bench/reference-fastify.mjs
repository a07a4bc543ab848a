// Reference: Fastify with one route. It knows no link and records nothing.
import { createRequire } from 'node:module';
import { HEADERS } from './reference-answer.mjs';

// Fastify comes with Nest's adapter, and is not a dependency of its own.
const { fastify } = createRequire(createRequire(import.meta.url).resolve('@nestjs/platform-fastify'))('fastify');
const server = fastify();
server.get('/r/:slug', (_request, reply) => reply.code(302).headers(HEADERS).send());
await server.listen({ port: Number(process.env.PORT), host: '127.0.0.1' });
