// A broker that wants TLS and a name, as those of others do: the command line's image must get in with the right secrets, and with them alone.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from './api.mjs';
import { mustRun, run } from './compose.mjs';
import { DATA, FOLDER_ID } from './settings.mjs';

const NAME = `baton-secured-${FOLDER_ID}`;
const FOLDER = join(DATA, 'secured');
const PASSWORD = 'right-password';

/** Adds a check for each way in. Leaves nothing behind. */
export async function checkSecured(check) {
  try {
    await remove();
    await makeFiles();
    await startBroker();
    const inside = await createTopics({});
    check('setup gets into a broker with TLS and SASL, its secrets in files', inside.code === 0, said(inside));
    const stranger = await createTopics({ KAFKA_PASSWORD_FILE: '/secured/wrong' });
    check('a wrong password is refused', stranger.code !== 0, said(stranger));
    const trusting = await createTopics({ KAFKA_CA_FILE: '' });
    check('a broker whose signer is not known is not trusted', trusting.code !== 0, said(trusting));
  } finally {
    await remove();
    rmSync(FOLDER, { recursive: true, force: true });
  }
}

const said = ({ code, stdout, stderr }) => `exit ${code}, ${`${stdout}${stderr}`.trim().split('\n').at(-1).slice(0, 120)}`;

async function remove() {
  await run('docker', ['rm', '--force', '--volumes', NAME]);
  await run('docker', ['network', 'rm', NAME]);
}

async function makeFiles() {
  mkdirSync(FOLDER, { recursive: true });
  const file = (name) => join(FOLDER, name);
  const subject = ['-subj', '/CN=broker', '-addext', 'subjectAltName=DNS:broker'];
  await mustRun('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-days',
    '2',
    ...subject,
    '-keyout',
    file('key'),
    '-out',
    file('ca'),
  ]);
  const [key, certificate] = await Promise.all(['key', 'ca'].map((name) => mustRun('cat', [file(name)])));
  writeFileSync(file('broker.pem'), key + certificate, { mode: 0o644 });
  writeFileSync(file('right'), `${PASSWORD}\n`);
  writeFileSync(file('wrong'), 'wrong-password\n');
}

async function startBroker() {
  await mustRun('docker', ['network', 'create', NAME]);
  const settings = {
    KAFKA_NODE_ID: 1,
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9094',
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENERS: 'SECURE://:9092,INSIDE://:9093,CONTROLLER://:9094',
    KAFKA_ADVERTISED_LISTENERS: 'SECURE://broker:9092,INSIDE://localhost:9093',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'SECURE:SASL_SSL,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
    KAFKA_INTER_BROKER_LISTENER_NAME: 'INSIDE',
    KAFKA_SASL_ENABLED_MECHANISMS: 'PLAIN',
    KAFKA_LISTENER_NAME_SECURE_PLAIN_SASL_JAAS_CONFIG: `org.apache.kafka.common.security.plain.PlainLoginModule required user_baton="${PASSWORD}";`,
    KAFKA_SSL_KEYSTORE_TYPE: 'PEM',
    KAFKA_SSL_KEYSTORE_LOCATION: '/secured/broker.pem',
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: 1,
    KAFKA_DEFAULT_REPLICATION_FACTOR: 1,
    KAFKA_LOG_DIRS: '/var/lib/kafka/data',
    KAFKA_HEAP_OPTS: '-Xmx384m',
  };
  const env = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const where = ['--name', NAME, '--network', NAME, '--network-alias', 'broker', '--volume', `${FOLDER}:/secured:ro`];
  await mustRun('docker', ['run', '--detach', ...where, ...env, 'apache/kafka:4.3.1']);
  const isUp = async () => /Kafka Server started/.test((await run('docker', ['logs', NAME])).stdout);
  await waitFor('the secured broker', isUp, 120_000, 500);
}

/** With an empty value a variable counts as not set. */
function createTopics(other) {
  const settings = {
    KAFKA_BROKERS: 'broker:9092',
    KAFKA_TLS: 'true',
    KAFKA_CA_FILE: '/secured/ca',
    KAFKA_SASL: 'plain',
    KAFKA_USERNAME: 'baton',
    KAFKA_PASSWORD_FILE: '/secured/right',
    ...other,
  };
  const env = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
  const where = ['--network', NAME, '--volume', `${FOLDER}:/secured:ro`, '--read-only', '--tmpfs', '/tmp'];
  return run('docker', ['run', '--rm', ...where, ...env, 'baton/cli:local', 'topics', 'create'], { timeoutMs: 180_000 });
}
