import { deadLetterTopic, emit, encode, ReversalReceived, TOPICS } from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, createTopics, readTopic, type TopicRecord } from '@baton/platform';
import { ownPrefix, stores } from '@baton/testing';
import { Command } from 'commander';
import { registerDlq } from './dlq';

const prefix = ownPrefix();
const brokers = stores().kafkaBrokers;
const kafka = connectKafka({ brokers, clientId: 'test', prefix, log: createLog('test', 'silent') });
const producer = new BoundedProducer({ kafka });
const DEAD = deadLetterTopic(TOPICS.reversals, 'attribution');
const wire = encode(emit(ReversalReceived, ReversalReceived.sample));

const bury = (offset: number, value: string, reason: string) =>
  producer.send([
    {
      topic: DEAD,
      key: wire.key,
      value,
      headers: {
        ...wire.headers,
        baton_dlq_reason: reason,
        baton_dlq_error: 'why \u001b[31m',
        baton_dlq_partition: '0',
        baton_dlq_offset: String(offset),
        baton_dlq_at: `2026-01-31T12:00:0${offset}.000Z`,
      },
    },
  ]);

const records = async (topic: string) => {
  const found: TopicRecord[] = [];
  await readTopic({ kafka, topic, each: (record) => found.push(record) });
  return found;
};

/** What the command prints; its complaints come with `! `. */
async function baton(...args: string[]): Promise<string> {
  let output = '';
  const out = jest.spyOn(process.stdout, 'write').mockImplementation((text) => !!(output += String(text)));
  const err = jest.spyOn(process.stderr, 'write').mockImplementation((text) => !!(output += `! ${String(text)}`));
  try {
    const program = new Command().exitOverride();
    registerDlq(program);
    await program.parseAsync(['dlq', ...args, '--brokers', brokers.join(','), '--prefix', prefix], { from: 'user' });
  } finally {
    out.mockRestore();
    err.mockRestore();
    process.exitCode = 0;
  }
  return output;
}

beforeAll(async () => {
  await createTopics(kafka);
  await bury(1, wire.value, 'handler');
  await bury(2, wire.value.replace('2000', '12.5'), 'schema');
}, 60_000);
afterAll(() => producer.close());

describe('baton dlq', () => {
  it('lists what is there, by reason too, without obeying what strangers wrote', async () => {
    const all = await baton('list', '--group', 'attribution');
    expect(all).toContain(`${TOPICS.reversals}/0/1  attribution  handler`);
    expect(all).not.toContain('\u001b');
    const schema = await baton('list', '--reason', 'schema', '--json', '--topic', TOPICS.reversals);
    expect(
      schema
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { id: string }).id),
    ).toEqual([`${TOPICS.reversals}/0/2`]);
  }, 60_000);

  it('shows one, and says kindly when there is none', async () => {
    expect(await baton('show', `${TOPICS.reversals}/0/2`)).toContain('"amountMinor":12.5');
    expect(await baton('show', `${TOPICS.reversals}/0/99`)).toContain(`! baton dlq: there is no dead letter ${TOPICS.reversals}/0/99`);
    expect(await baton('show', 'nonsense')).toContain('! baton dlq: "nonsense" is not the id of a dead letter');
  }, 60_000);

  it('sends nothing on a dry run, refuses what would die again, and replays the mended one once', async () => {
    expect(await baton('replay', '--all', '--group', 'attribution', '--dry-run')).toMatch(
      /0\/1: would be sent[^]*1 would be sent, 0 replayed before, 1 refused/,
    );
    expect(await records(TOPICS.reversals)).toHaveLength(0);
    expect(await baton('replay', '--id', `${TOPICS.reversals}/0/2`)).toMatch(
      /! .*0\/2: not sent: it would become a dead letter again \(schema: .*amountMinor/,
    );
    expect(await baton('replay', '--id', `${TOPICS.reversals}/0/2`, '--set', 'amountMinor=1250')).toContain(
      '1 sent, 0 replayed before, 0 refused',
    );
    expect(await baton('replay', '--all', '--topic', TOPICS.reversals)).toContain('1 sent, 1 replayed before, 0 refused');
    expect(await baton('replay', '--all', '--topic', TOPICS.reversals)).toContain('0 sent, 2 replayed before, 0 refused');
    const sent = await records(TOPICS.reversals);
    expect(sent.map((r) => (JSON.parse(String(r.value)) as { amountMinor: number }).amountMinor)).toEqual([1_250, 2_000]);
    expect(await baton('list', '--topic', TOPICS.reversals)).toMatch(/0\/2 .* replayed 2/);
    expect(await baton('list', '--topic', TOPICS.reversals, '--pending')).toContain('There are no dead letters here.');
  }, 60_000);
});
