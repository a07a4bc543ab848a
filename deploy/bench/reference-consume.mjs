// Reference: the least that a consumer can do with a message. It reads the JSON, and keeps nothing.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs');
const { KAFKA_BROKERS, GROUP, TOPIC, PORT } = process.env;

const consumer = new Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: 'reference-consume', logLevel: logLevel.NOTHING }).consumer({
  groupId: GROUP,
  maxWaitTimeInMs: 200,
});
let fields = 0;
await consumer.connect();
await consumer.subscribe({ topics: [TOPIC], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  partitionsConsumedConcurrently: 4,
  eachBatch: async ({ batch, resolveOffset, commitOffsetsIfNecessary }) => {
    for (const { value } of batch.messages) fields += JSON.parse(value.toString()).subIds ? 1 : 0;
    const { topic, partition } = batch;
    const offset = (BigInt(batch.lastOffset()) + 1n).toString();
    await commitOffsetsIfNecessary({ topics: [{ topic, partitions: [{ partition, offset }] }] });
    resolveOffset(batch.lastOffset());
  },
});
createServer((_request, response) => response.end(String(fields))).listen(Number(PORT), '127.0.0.1');
