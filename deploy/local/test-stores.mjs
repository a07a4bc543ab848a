// The one place that gives tests their real Kafka, PostgreSQL and Redis: those that the environment names, else containers where Docker
// answers, else local processes. Never none.
import { dockerAnswers, startContainers } from './containers.mjs';
import { ensureStores } from './infra.mjs';
import { Trouble } from './progress.mjs';

const NAMES = ['KAFKA_BROKERS', 'POSTGRES_ADMIN_URL', 'REDIS_URL'];
const KINDS = ['containers', 'local'];

/** Gives the addresses and what ends what was started for these tests alone. BATON_TEST_STORES=containers|local takes the choice away. */
export async function provideTestStores() {
  const wanted = process.env.BATON_TEST_STORES;
  if (wanted && !KINDS.includes(wanted)) throw new Trouble(`BATON_TEST_STORES is "${wanted}"; it may be ${KINDS.join(' or ')}.`);
  const named = NAMES.every((name) => process.env[name]);
  if (!named && wanted !== 'local' && (wanted === 'containers' || dockerAnswers())) return startContainers();
  const env = await ensureStores();
  // Local processes stay up for the next run: npm run infra -- down ends them.
  return { env, stop: async () => {} };
}
