// The conversion edge, with everything on: keys, validation, evidence, dedupe, row-level security, outbox, relay to a real broker.
import { overload } from './ingest-overload.mjs';
import { throughput } from './ingest-throughput.mjs';

export default {
  about:
    'conversion-ingest beside bare Fastify, node:http with ajv, and Fastify with one INSERT a request; example: npm run bench -- ingest --connections 64 --rounds 5 --seconds 3',
  options: {
    connections: { default: [1, 16, 64], least: 1, about: 'how many ask at once, one after the other' },
    accounts: { default: 1, least: 1, about: 'advertisers who ask in turns' },
    profile: { default: false, about: 'in the case throughput: ask ours alone, and tell where its threads spend their time' },
    'overload-connections': {
      default: 512,
      least: 1,
      about: 'how many ask at once in the case overload, each again as soon as it is answered',
    },
    'overload-seconds': { default: 30, least: 5, about: 'how long they do' },
  },
  cases: { throughput, overload },
};
