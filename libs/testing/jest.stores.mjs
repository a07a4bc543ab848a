// Before integration tests: the stores, from the one place that provides them. Never skipped.
import { provideTestStores } from '../../deploy/local/test-stores.mjs';

const NAMES = ['KAFKA_BROKERS', 'POSTGRES_ADMIN_URL', 'REDIS_URL', 'DATABASE_PASSWORD'];

export default async function setup() {
  const { env, stop } = await provideTestStores();
  for (const name of NAMES) if (env[name]) process.env[name] = env[name];
  globalThis.__stopStores = stop;
}
