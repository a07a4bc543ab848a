import { allContracts, encode, type EventContract } from './define';
import { REASON_CODES, VERDICTS } from './reasons';
import { TOPIC_SPECS, type TopicSpec } from './topics';

const GENERATED = '<!-- Generated from libs/contracts by `npm run baton -- events write`. Do not edit. -->';

const PERSONAL_DATA: Readonly<Record<TopicSpec['personalData'], string>> = {
  none: 'none',
  pseudonymous: 'pseudonymous: keyed hashes and ids, no raw address, e-mail or name of a visitor',
  names: 'names of partners and of customers who refer; nothing about visitors',
};

/** Every page and schema of docs/events, by file name. Pure: the same contracts give the same bytes. */
export function eventDocs(): Map<string, string> {
  const files = new Map<string, string>();
  const publicSpecs = TOPIC_SPECS.filter((spec) => spec.isPublic);
  for (const contract of publicSpecs.flatMap(contractsOf)) {
    files.set(schemaFile(contract), json(schemaDocument(contract)));
    files.set(`${contract.ceType}.sample.json`, json(contract.sample));
  }
  for (const spec of publicSpecs) files.set(`${spec.topic}.md`, topicPage(spec));
  files.set('asyncapi.json', json(asyncApi(publicSpecs)));
  files.set('README.md', index(publicSpecs));
  files.set('reasons.md', reasonsPage());
  return files;
}

export const schemaFile = (contract: EventContract): string => `${contract.ceType}.schema.json`;

export function schemaDocument(contract: EventContract): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `urn:baton:schema:${contract.type}:v${contract.version}`,
    title: contract.ceType,
    ...contract.jsonSchema(),
  };
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
const contractsOf = (spec: TopicSpec): EventContract[] => allContracts().filter((contract) => contract.topic === spec.topic);
const retention = (spec: TopicSpec): string =>
  spec.retentionMs < 0 ? 'for ever, compacted by key' : `${spec.retentionMs / 86_400_000} days`;

function reasonsPage(): string {
  const rows = Object.entries(REASON_CODES).map(([code, { status, help }]) => `| \`${code}\` | ${status} | ${help} |`);
  return `${GENERATED}
# Reason codes

Every answer of an HTTP edge carries one of these, and no other: in the header \`Baton-Reason\`, and of a problem (RFC 9457) in \`code\`. The header
\`Baton-Verdict\` is one of ${VERDICTS.map((verdict) => `\`${verdict}\``).join(', ')}; of several facts that fared differently \`mixed\`. A dialect's door has the dialect's own status and body, and the same headers.

| code | status | what it means, and what to do |
|---|---|---|
${rows.join('\n')}
`;
}

function topicPage(spec: TopicSpec): string {
  const contracts = contractsOf(spec);
  const [first] = contracts as [EventContract];
  const message = encode({ contract: first, data: first.sample });
  return `${GENERATED}
# ${spec.topic}

| | |
|---|---|
| key | ${spec.key} |
| what order means | ${spec.orderMeans} |
| partitions | ${spec.partitions} |
| kept | ${retention(spec)} |
| personal data | ${PERSONAL_DATA[spec.personalData]} |
| delivery | at least once: dedupe on \`ce_id\`; where an event carries a revision, version or sequence, the highest wins |

${contracts.map((c) => `- \`${c.ceType}\`: [schema](${schemaFile(c)}), [sample](${c.ceType}.sample.json)`).join('\n')}

A message, as CloudEvents 1.0 in Kafka's binary mode: the key and the headers

\`\`\`
key: ${message.key}
${Object.entries(message.headers)
  .map(([name, value]) => `${name}: ${value}`)
  .join('\n')}
\`\`\`

and as its value the data:

\`\`\`json
${JSON.stringify(first.sample, null, 2)}
\`\`\`

A consumer that can be run as it is (\`npm install kafkajs@2.2.4\`, then \`KAFKA_BROKERS=127.0.0.1:9092 node consumer.mjs\`):

\`\`\`js
import { Kafka } from 'kafkajs';

const kafka = new Kafka({ clientId: 'example', brokers: (process.env.KAFKA_BROKERS ?? '127.0.0.1:9092').split(',') });
const consumer = kafka.consumer({ groupId: 'example-${spec.topic.split('.')[1]}' });
const seen = new Set(); // keep this in your database, in the transaction of the effect

await consumer.connect();
await consumer.subscribe({ topics: [(process.env.TOPIC_PREFIX ?? '') + '${spec.topic}'], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    if (message.value === null) return; // a tombstone
    const id = message.headers.ce_type + ' ' + message.headers.ce_id;
    if (seen.has(id)) return;
    seen.add(id);
    console.log(message.headers.ce_type.toString(), JSON.parse(message.value.toString()));
  },
});
\`\`\`

Messages are partitioned as Java's client does it (murmur2). Clients on librdkafka that produce to these topics set \`partitioner=murmur2_random\`.
`;
}

function asyncApi(specs: readonly TopicSpec[]): Record<string, unknown> {
  const name = (spec: TopicSpec): string => spec.topic.replaceAll('.', '_');
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Baton events',
      version: '1',
      description: 'CloudEvents 1.0 in Kafka binary mode. At least once: dedupe on ce_id; the highest revision wins.',
      license: { name: 'Apache-2.0' },
    },
    channels: Object.fromEntries(
      specs.map((spec) => [
        name(spec),
        {
          address: spec.topic,
          description: spec.orderMeans,
          messages: Object.fromEntries(contractsOf(spec).map((c) => [c.ceType, { $ref: `#/components/messages/${c.ceType}` }])),
        },
      ]),
    ),
    operations: Object.fromEntries(
      specs.map((spec) => [`receive_${name(spec)}`, { action: 'receive', channel: { $ref: `#/channels/${name(spec)}` } }]),
    ),
    components: {
      messages: Object.fromEntries(
        specs
          .flatMap(contractsOf)
          .map((c) => [c.ceType, { name: c.ceType, contentType: 'application/json', payload: { $ref: `./${schemaFile(c)}` } }]),
      ),
    },
  };
}

function index(specs: readonly TopicSpec[]): string {
  return `${GENERATED}
# Events

Public topics never break: a changed meaning is a new version beside the old one. Delivery is at least once. Lengths are in code points; no text holds NUL
or half a surrogate pair, which the schemas leave unsaid because no pattern for it is read alike in every language. [AsyncAPI](asyncapi.json) describes all of them.

| topic | key | what order means | kept | types |
|---|---|---|---|---|
${specs
  .map(
    (spec) =>
      `| [${spec.topic}](${spec.topic}.md) | ${spec.key} | ${spec.orderMeans} | ${retention(spec)} | ${contractsOf(spec)
        .map((c) => `\`${c.ceType}\``)
        .join(', ')} |`,
  )
  .join('\n')}
`;
}
