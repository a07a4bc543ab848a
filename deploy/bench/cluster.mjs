// Topics of the bench's own on a real broker, filled and counted by it, and taken away at the end.
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { roundTrip } from '../local/kafka.mjs';
import { pause } from '../local/processes.mjs';
import { fail } from './say.mjs';
import { publishCatalog } from './catalog.mjs';

const require = createRequire(import.meta.url);
const { Kafka, logLevel } = require('kafkajs');
const { TOPICS } = require('@baton/contracts');
const { connectKafka, createLog, createTopics } = require('@baton/platform');

const POLL_MS = 100;
const COUNT_WITHIN_MS = 60_000;

export async function startCluster({ brokers, run }) {
  await roundTrip(brokers.split(',')).catch((error) =>
    fail(`Kafka at ${brokers} does not answer (${error.message}). Start one (npm run infra -- up) or name one: KAFKA_BROKERS=host:port`),
  );
  const prefix = `bench${randomBytes(3).toString('hex')}.`;
  const client = new Kafka({ brokers: brokers.split(','), clientId: 'bench', logLevel: logLevel.NOTHING });
  const admin = client.admin();
  const producer = client.producer({ allowAutoTopicCreation: false });
  await Promise.all([admin.connect(), producer.connect()]);
  run.later(async () => {
    const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
    await admin.deleteTopics({ topics });
    const groups = (await admin.listGroups()).groups.map(({ groupId }) => groupId).filter((id) => id.startsWith(prefix));
    await admin.deleteGroups(groups).catch(() => {});
    await Promise.all([admin.disconnect(), producer.disconnect()]);
  });
  await createTopics(connectKafka({ brokers: brokers.split(','), clientId: 'bench', prefix, log: createLog('bench', 'silent') }));
  const send = (topic, messages) => producer.send({ topic: prefix + topic, acks: -1, messages });
  const cluster = {
    brokers,
    prefix,
    client,
    clicks: prefix + TOPICS.clicks,
    createTopic: (topic, numPartitions) => admin.createTopics({ waitForLeaders: true, topics: [{ topic: prefix + topic, numPartitions }] }),
    /** `topic` without the prefix. */
    send,
    publishCatalog: (links) => publishCatalog({ links, send }),
    /** Messages that were ever written to a topic. A broker that has just come back does not know for some seconds. */
    async countOf(topic) {
      const deadline = Date.now() + COUNT_WITHIN_MS;
      for (;;) {
        try {
          return (await admin.fetchTopicOffsets(topic)).reduce((sum, { high }) => sum + Number(high), 0);
        } catch (error) {
          if (Date.now() > deadline) throw error;
        }
        await pause(POLL_MS);
      }
    },
    /** How many messages of a topic a consumer group has committed. */
    async committedBy(groupId, topic) {
      const [{ partitions }] = await admin.fetchOffsets({ groupId, topics: [topic] });
      return partitions.reduce((sum, { offset }) => sum + Math.max(Number(offset), 0), 0);
    },
    /** Waits for so many; gives how many there are, which may be fewer after the deadline. */
    async grownTo(topic, count, deadlineMs) {
      const deadline = Date.now() + deadlineMs;
      for (;;) {
        const present = await cluster.countOf(topic);
        if (present >= count || Date.now() > deadline) return present;
        await pause(POLL_MS);
      }
    },
  };
  return cluster;
}
