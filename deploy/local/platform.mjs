// A whole platform of its own for a test: its topics, databases, keys and ports, beside whatever else runs.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { startProxy } from './proxy.mjs';
import { prepare } from './start.mjs';
import { Replica, stopInOrder, supervise } from './services.mjs';
import { DATA, SERVICES, serviceUrl, storeEnv } from './settings.mjs';

const require = createRequire(import.meta.url);
/** Replicas 0 to 2 belong to `npm start`. */
const REPLICA_OFFSET = 3;

/**
 * Creates databases and topics under a prefix of its own and starts `replicas` of each of `services`. `env` is added to every service's
 * environment, `envOf(replica)` to that of one; `folder` is where replicas keep what they keep on disk.
 */
export async function startPlatform({ name, replicas = 1, services = SERVICES, stores = storeEnv(), ...more }) {
  const { env = {}, envOf = () => ({}), onRestart } = more;
  const prefix = `${name}${randomBytes(3).toString('hex')}`;
  const own = { ...stores, TOPIC_PREFIX: `${prefix}.`, DATABASE_PREFIX: `${prefix}_`, REDIS_PREFIX: `${prefix}:` };
  await prepare({ ...process.env, ...own });
  const target = new URL(stores.POSTGRES_ADMIN_URL);
  const proxy = await startProxy({ host: target.hostname, port: Number(target.port || 5432) });
  const proxied = new URL(stores.POSTGRES_ADMIN_URL);
  proxied.hostname = '127.0.0.1';
  proxied.port = String(proxy.port);
  const folder = more.folder ?? join(DATA, 'platforms', prefix);
  const settings = { name, folder, replicaOffset: REPLICA_OFFSET, stores: { ...own, POSTGRES_ADMIN_URL: proxied.toString() }, env };
  const countOf = (service) => (typeof replicas === 'number' ? replicas : (replicas[service] ?? 1));
  const all = services.flatMap((service) => Array.from({ length: countOf(service) }, (_, i) => new Replica(service, i, settings)));
  for (const replica of all) await replica.start(envOf(replica, 1));
  await Promise.all(all.map((replica) => replica.ready()));
  const release = supervise(all, { onRestart });
  const urls = Object.fromEntries(services.map((service) => [service, serviceUrl(service, REPLICA_OFFSET)]));
  return {
    prefix,
    stores: own,
    settings,
    replicas: all,
    urls,
    proxy,
    urlsOf: (service) => all.filter((r) => r.service === service).map((r) => r.url),
    /** Rows of one service's database, read as the administrator. */
    async query(service, sql, values = []) {
      const { Client } = require('pg');
      const url = new URL(stores.POSTGRES_ADMIN_URL);
      url.pathname = `/${own.DATABASE_PREFIX}${service.replaceAll('-', '_')}`;
      const client = new Client({ connectionString: url.toString() });
      await client.connect();
      try {
        return (await client.query(sql, values)).rows;
      } finally {
        await client.end();
      }
    },
    kafka: () => kafkaOf(own),
    /** Ends are final from now on. */
    release,
    async stop() {
      release();
      await stopInOrder(all);
      await proxy.close();
    },
    /** Takes the databases, the topics and what replicas kept on disk away again. */
    async remove() {
      const { Client } = require('pg');
      const client = new Client({ connectionString: stores.POSTGRES_ADMIN_URL });
      await client.connect();
      for (const service of SERVICES)
        await client.query(`DROP DATABASE IF EXISTS "${own.DATABASE_PREFIX}${service.replaceAll('-', '_')}" WITH (FORCE)`);
      await client.end();
      await kafkaOf(own).removeTopics();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What tests ask of Kafka: everything in a topic, how far groups are behind, putting offsets back to the beginning. */
export function kafkaOf({ KAFKA_BROKERS, TOPIC_PREFIX }) {
  const { Kafka, logLevel } = require('kafkajs');
  const client = new Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: 'platform-test', logLevel: logLevel.NOTHING });
  const withAdmin = async (work) => {
    const admin = client.admin();
    await admin.connect();
    try {
      return await work(admin);
    } finally {
      await admin.disconnect();
    }
  };
  const own = async (admin) => (await admin.listTopics()).filter((topic) => topic.startsWith(TOPIC_PREFIX));
  return {
    withAdmin,
    /** Messages that each consumer group has yet to handle. */
    lag: (groups) =>
      withAdmin(async (admin) => {
        const lags = {};
        for (const group of groups) {
          let lag = 0;
          for (const { topic, partitions } of await admin.fetchOffsets({ groupId: TOPIC_PREFIX + group })) {
            const highs = new Map((await admin.fetchTopicOffsets(topic)).map((p) => [p.partition, p]));
            for (const { partition, offset } of partitions) {
              const { high, low } = highs.get(partition);
              lag += Number(high) - (offset === '-1' ? Number(low) : Number(offset));
            }
          }
          lags[group] = lag;
        }
        return lags;
      }),
    /** Every message of a topic, from the beginning to where it ends now. */
    async readAll(topic) {
      const name = TOPIC_PREFIX + topic;
      const ends = await withAdmin((admin) => admin.fetchTopicOffsets(name));
      const missing = new Map(ends.filter((p) => Number(p.high) > Number(p.low)).map((p) => [p.partition, Number(p.high)]));
      const messages = [];
      if (missing.size === 0) return messages;
      const groupId = `${TOPIC_PREFIX}reader-${randomBytes(6).toString('hex')}`;
      const consumer = client.consumer({ groupId, maxWaitTimeInMs: 100 });
      await consumer.connect();
      await consumer.subscribe({ topics: [name], fromBeginning: true });
      await new Promise((resolve, reject) => {
        setTimeout(() => reject(new Error(`${topic} could not be read within 60 s`)), 60_000).unref();
        void consumer.run({
          autoCommit: false,
          eachMessage: async ({ partition, message }) => {
            messages.push(message);
            if (Number(message.offset) + 1 >= (missing.get(partition) ?? 0)) missing.delete(partition);
            if (missing.size === 0) resolve();
          },
        });
      });
      await consumer.disconnect();
      await withAdmin((admin) => admin.deleteGroups([groupId])).catch(() => {});
      return messages;
    },
    /** Sends messages, so many a second. A large one goes alone: a batch has the same limit as a message. */
    async produce(topic, messages, perSecond) {
      const producer = client.producer({ allowAutoTopicCreation: false });
      await producer.connect();
      const send = (some) => producer.send({ topic: TOPIC_PREFIX + topic, acks: -1, messages: some });
      const started = Date.now();
      for (let from = 0; from < messages.length; from += 200) {
        const slice = messages.slice(from, from + 200);
        const isLarge = ({ value }) => (value?.length ?? 0) > 100_000;
        await send(slice.filter((message) => !isLarge(message)));
        for (const large of slice.filter(isLarge)) await send([large]);
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, started + ((from + 200) * 1_000) / perSecond - Date.now())));
      }
      await producer.disconnect();
    },
    deadLetters: () =>
      withAdmin(async (admin) => {
        let count = 0;
        for (const topic of (await own(admin)).filter((name) => name.includes('.dlq.')))
          for (const { high, low } of await admin.fetchTopicOffsets(topic)) count += Number(high) - Number(low);
        return count;
      }),
    /** The group's members must have left. */
    resetOffsets: (group) =>
      withAdmin(async (admin) => {
        for (const { topic } of await admin.fetchOffsets({ groupId: TOPIC_PREFIX + group }))
          await admin.resetOffsets({ groupId: TOPIC_PREFIX + group, topic, earliest: true });
      }),
    removeTopics: () => withAdmin(async (admin) => admin.deleteTopics({ topics: await own(admin) })),
  };
}
