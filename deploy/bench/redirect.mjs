// The redirect, with everything on: signed ids, enrichment, fsynced spool, shipping to a real broker.
import { throughput } from './redirect-throughput.mjs';
import { outage } from './redirect-outage.mjs';
import { scale } from './redirect-scale.mjs';

export default {
  about: 'click-redirect beside bare node:http, bare Fastify, and a server that awaits one producer.send per click',
  options: {
    connections: { default: [1, 32, 128], least: 1, about: 'how many ask at once, one after the other' },
    links: { default: 10_000, least: 1, about: 'links in the catalog' },
    profile: { default: false, about: 'in the case throughput: ask ours alone, and tell where its threads spend their time' },
    'outage-seconds': { default: 60, least: 5, about: 'how long the broker stands still in the case outage' },
    'per-second': { default: 0, least: 0, about: 'requests a second in the case outage; 0: half of what it can do' },
  },
  cases: { throughput, outage, scale },
};
