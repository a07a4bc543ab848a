// The two consumers that every click passes, as they run in production: real Kafka in front, real Postgres behind.
import { consumed } from './clicks-consumed.mjs';

export default {
  about:
    'attribution and fraud-scoring beside a kafkajs consumer that keeps nothing, and beside themselves with one transaction a message (a round ends when all is done: --seconds has no say); example: npm run bench -- clicks --case attribution --rounds 5',
  options: { clicks: { default: 40_000, least: 1_000, about: 'how many wait in the topic when a round begins' } },
  cases: {
    attribution: { about: 'clicks that attribution stores, and whose visitors it knows again', run: consumed('attribution') },
    'fraud-scoring': { about: 'clicks that fraud-scoring stores and counts by address', run: consumed('fraud-scoring') },
  },
};
