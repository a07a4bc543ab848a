// Before integration tests: the stores that the environment names, else Testcontainers where Docker answers, else local processes. Never skipped.
const { execFile } = require('node:child_process');
const { join } = require('node:path');
const { promisify } = require('node:util');

const NAMES = ['KAFKA_BROKERS', 'POSTGRES_ADMIN_URL', 'REDIS_URL'];

module.exports = async () => {
  if (NAMES.every((name) => process.env[name])) return;
  const infra = join(__dirname, '../../deploy/local/infra.mjs');
  const { stdout } = await promisify(execFile)(process.execPath, [infra, 'env', '--up', '--json'], { maxBuffer: 1 << 20 });
  Object.assign(process.env, JSON.parse(stdout));
};
