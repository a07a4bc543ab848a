// Kafka, PostgreSQL and Redis for tests as containers, where Docker answers. Started once a run, on mapped ports, stopped at its end.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { step, Trouble } from './progress.mjs';

const require = createRequire(import.meta.url);
const IMAGES = { kafka: 'apache/kafka:4.3.1', postgres: 'postgres:17', redis: 'redis:7' };
const PASSWORD = 'baton-tests';

/** Whether an engine answers that containers can be started on. */
export const dockerAnswers = () =>
  spawnSync('docker', ['version', '--format', '{{.Server.Version}}'], { stdio: 'ignore', timeout: 10_000 }).status === 0;

/** Starts the three and gives their addresses and a way to stop them. */
export async function startContainers() {
  const started = [];
  const start = (name, container) =>
    step(`${name} in a container (${IMAGES[name]})`, async () => {
      const running = await container.start().catch((error) => {
        throw new Trouble(
          `The container ${IMAGES[name]} could not be started: ${error.message}\nPull the image, name running stores (KAFKA_BROKERS, POSTGRES_ADMIN_URL, REDIS_URL), or use local processes: BATON_TEST_STORES=local npm test`,
        );
      });
      started.push(running);
      return running;
    });
  const stop = () => Promise.all(started.map((container) => container.stop().catch(() => {})));
  const results = await Promise.allSettled([
    start('kafka', kafkaContainer()),
    start('postgres', postgresContainer()),
    start('redis', redisContainer()),
  ]);
  const failure = results.find((result) => result.status === 'rejected');
  if (failure) {
    await stop();
    throw failure.reason;
  }
  const [kafka, postgres, redis] = results.map((result) => result.value);
  const at = (container, port) => `${container.getHost()}:${container.getMappedPort(port)}`;
  const env = {
    KAFKA_BROKERS: at(kafka, 9092),
    POSTGRES_ADMIN_URL: `postgresql://postgres:${PASSWORD}@${at(postgres, 5432)}/postgres`,
    REDIS_URL: `redis://${at(redis, 6379)}`,
  };
  return { env, stop };
}

function postgresContainer() {
  const { GenericContainer, Wait } = require('testcontainers');
  return (
    new GenericContainer(IMAGES.postgres)
      .withExposedPorts(5432)
      .withEnvironment({ POSTGRES_PASSWORD: PASSWORD })
      .withCommand(['postgres', '-c', 'max_connections=400', '-c', 'max_locks_per_transaction=256'])
      // The temporary server of the first initialisation says so too: the second time is the real one.
      .withWaitStrategy(Wait.forLogMessage(/database system is ready to accept connections/, 2))
  );
}

function redisContainer() {
  const { GenericContainer, Wait } = require('testcontainers');
  return new GenericContainer(IMAGES.redis).withExposedPorts(6379).withWaitStrategy(Wait.forLogMessage(/Ready to accept connections/));
}

/**
 * A broker must advertise the port that its clients use, which is known only once the container runs: it waits for a start script, which
 * is written then. (The library's own Kafka container runs another image.)
 */
function kafkaContainer() {
  const { GenericContainer, Wait } = require('testcontainers');
  const script = '/tmp/baton-start.sh';
  const waiting = 'waiting for the start script';
  class Broker extends GenericContainer {
    async containerStarted(container) {
      const advertised = `OUTSIDE://${container.getHost()}:${container.getMappedPort(9092)},INSIDE://localhost:9093`;
      await container.copyContentToContainer([
        { content: `export KAFKA_ADVERTISED_LISTENERS=${advertised}\nexec /etc/kafka/docker/run\n`, target: script },
      ]);
      await logged(container, /Kafka Server started/, 120_000);
    }
  }
  return new Broker(IMAGES.kafka)
    .withExposedPorts(9092)
    .withEnvironment({
      KAFKA_NODE_ID: '1',
      KAFKA_PROCESS_ROLES: 'broker,controller',
      KAFKA_CONTROLLER_QUORUM_VOTERS: '1@localhost:9094',
      KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
      KAFKA_LISTENERS: 'OUTSIDE://:9092,INSIDE://:9093,CONTROLLER://:9094',
      KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'OUTSIDE:PLAINTEXT,INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT',
      KAFKA_INTER_BROKER_LISTENER_NAME: 'INSIDE',
      KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
      KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS: '10',
      KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
      KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
      KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
      KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      KAFKA_MESSAGE_MAX_BYTES: '2097152',
      KAFKA_HEAP_OPTS: '-Xmx512m',
    })
    .withEntrypoint(['sh', '-c', `echo ${waiting}; while [ ! -s ${script} ]; do sleep 0.1; done; exec sh ${script}`])
    .withWaitStrategy(Wait.forLogMessage(waiting));
}

async function logged(container, pattern, deadlineMs) {
  const stream = await container.logs();
  await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`its log did not say ${pattern} within ${deadlineMs / 1000} s`)), deadlineMs);
    stream.on('data', (line) => {
      if (!pattern.test(String(line))) return;
      clearTimeout(timer);
      resolve();
    });
  });
  stream.destroy();
}
