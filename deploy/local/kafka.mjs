// A real Apache Kafka broker (KRaft, one node) as a local process, from the jars that Maven fetches.
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CACHE, DATA, PORTS } from './settings.mjs';
import { ensurePrograms } from './packages.mjs';
import { needFreePort, pause, runningPid, startDetached, until } from './processes.mjs';
import { Trouble } from './progress.mjs';

const VERSION = '4.3.1';
const FAREWELL_MAX_MS = 3_000;
const JARS = join(CACHE, `kafka-${VERSION}`);

/** A broker with a folder and ports of its own; `name` is how the process is known again. */
export function localBroker({ name, folder, port, controllerPort }) {
  const propertiesFile = join(folder, 'server.properties');
  const address = `127.0.0.1:${port}`;
  return {
    name,
    address,
    async start() {
      await ensureJars();
      await configure({ folder, port, controllerPort, propertiesFile });
      await needFreePort(port, 'Kafka');
      startDetached({
        name,
        command: 'java',
        args: ['-Xmx512m', '-Xms256m', '-cp', `${JARS}/*`, 'kafka.Kafka', propertiesFile],
        mark: propertiesFile,
        cwd: folder,
      });
      await until(name, () => roundTrip([address]), 60_000);
    },
    check: () => roundTrip([address]),
    isOurs: () => runningPid(name) !== null,
    stopSignal: 'SIGTERM',
  };
}

/** The one of this clone. */
export const kafka = localBroker({ name: 'kafka', folder: join(DATA, 'kafka'), port: PORTS.kafka, controllerPort: PORTS.kafkaController });

/** Downloaded beside, then renamed: a download that was cut off is never taken for a whole one, and two clones may do it at once. */
async function ensureJars() {
  await ensurePrograms(['java']);
  if (existsSync(JARS)) return;
  await ensurePrograms(['maven']);
  mkdirSync(CACHE, { recursive: true });
  const temporary = `${JARS}.${process.pid}`;
  mkdirSync(temporary, { recursive: true });
  writeFileSync(join(temporary, 'pom.xml'), pom());
  try {
    await promisify(execFile)('mvn', ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${temporary}`], {
      cwd: temporary,
      maxBuffer: 1 << 24,
    });
  } catch (error) {
    rmSync(temporary, { recursive: true, force: true });
    throw new Trouble(
      `Maven could not fetch Apache Kafka ${VERSION}:\n${String(error.stdout || error.message).slice(0, 2000)}\nA running broker can be named instead: KAFKA_BROKERS=host:port`,
    );
  }
  if (readdirSync(temporary).length < 20) throw new Trouble(`Maven fetched too few jars into ${temporary}`);
  try {
    renameSync(temporary, JARS);
  } catch {
    rmSync(temporary, { recursive: true, force: true });
    if (!existsSync(JARS)) throw new Trouble(`${JARS} could not be written`);
  }
}

const pom = () => `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>baton</groupId><artifactId>broker</artifactId><version>1</version><dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency>
<dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version></dependency>
</dependencies></project>`;

/** Written at every start, since ports may have changed; the storage is formatted once. */
async function configure({ folder, port, controllerPort, propertiesFile }) {
  mkdirSync(folder, { recursive: true });
  const data = join(folder, 'data');
  const properties = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': data,
    'auto.create.topics.enable': false,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 10,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'message.max.bytes': 2_097_152,
    'replica.fetch.max.bytes': 2_097_152,
    'log.segment.bytes': 67_108_864,
  };
  writeFileSync(
    propertiesFile,
    Object.entries(properties)
      .map(([key, value]) => `${key}=${value}\n`)
      .join(''),
  );
  if (existsSync(join(data, 'meta.properties'))) return;
  const java = async (...args) => (await promisify(execFile)('java', ['-cp', `${JARS}/*`, 'kafka.tools.StorageTool', ...args])).stdout;
  const id = (await java('random-uuid')).trim();
  await java('format', '--ignore-formatted', '-t', id, '-c', propertiesFile);
}

/** Ready means a message that was really produced and read back: an open port answers before the broker can do either. */
export async function roundTrip(brokers) {
  const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs');
  const client = new Kafka({
    brokers,
    clientId: 'readiness',
    logLevel: logLevel.NOTHING,
    connectionTimeout: 1_500,
    requestTimeout: 5_000,
    retry: { retries: 1 },
  });
  const topic = 'baton.local.readiness';
  const admin = client.admin();
  const producer = client.producer({ allowAutoTopicCreation: false });
  const consumer = client.consumer({ groupId: `readiness-${process.pid}-${Date.now()}` });
  try {
    await admin.connect();
    await admin.createTopics({
      topics: [{ topic, numPartitions: 1, replicationFactor: 1, configEntries: [{ name: 'retention.ms', value: '60000' }] }],
    });
    await producer.connect();
    const text = `${process.pid}:${Date.now()}`;
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const seen = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error('no message came back')), 10_000).unref();
      void consumer.run({ eachMessage: async ({ message }) => message.value?.toString() === text && resolve(undefined) });
    });
    // Where the send fails first, nobody waits for this any more: its time limit must not end the launcher ten seconds later.
    seen.catch(() => {});
    await producer.send({ topic, messages: [{ value: text }] });
    await seen;
  } finally {
    // kafkajs has been seen to wait for ever for a farewell.
    await Promise.race([Promise.allSettled([consumer.disconnect(), producer.disconnect(), admin.disconnect()]), pause(FAREWELL_MAX_MS)]);
  }
}
