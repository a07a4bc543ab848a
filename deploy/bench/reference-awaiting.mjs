// Reference: the obvious way to lose no click, one awaited `producer.send` per request. It signs nothing, looks nothing up and enriches
// nothing: the message is a constant of the size of ours, so what it costs is the sending.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { HEADERS } from './reference-answer.mjs';

const { Kafka, logLevel } = createRequire(import.meta.url)('kafkajs');
const { KAFKA_BROKERS, TOPIC, MESSAGE, PORT } = process.env;
const { value, headers } = JSON.parse(MESSAGE);

const client = new Kafka({ brokers: KAFKA_BROKERS.split(','), clientId: 'reference-awaiting', logLevel: logLevel.NOTHING });
const producer = client.producer({ allowAutoTopicCreation: false });
await producer.connect();

let count = 0;
createServer(async (_request, response) => {
  const key = String(++count).padStart(32, '0');
  try {
    await producer.send({ topic: TOPIC, acks: -1, messages: [{ key, value, headers }] });
    response.writeHead(302, HEADERS);
  } catch {
    response.writeHead(503, { 'Content-Length': '0' });
  }
  response.end();
}).listen(Number(PORT), '127.0.0.1');
