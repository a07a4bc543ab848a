import { CONSUMER_GROUPS, deadLetterTopic, type Topic, TOPICS } from '@baton/contracts';
import { BoundedProducer, type KafkaConnection, readTopic, type TopicRecord } from '@baton/platform';
import { type Command, Option } from 'commander';
import { readFileSync } from 'node:fs';
import { type DeadLetter, deadLettersOf, mended, refusalOf, replayMarker } from './dead-letters';
import { kafkaOfEnvironment } from './environment';

interface Where {
  brokers?: string;
  prefix: string;
  topic?: Topic;
  group?: string;
  reason?: string;
}
interface ListOptions extends Where {
  json?: true;
  limit: number;
  pending?: true;
}
interface ReplayOptions extends Where {
  id?: string[];
  all?: true;
  dryRun?: true;
  force?: true;
  value?: string;
  set?: string[];
  header?: string[];
  key?: string;
}

const SHOWN_BYTES = 4_096;
const PROGRESS_EVERY = 500;

/** `baton dlq`: what consumers could not handle, why, and once more when it is mended. */
export function registerDlq(program: Command): void {
  const dlq = program.command('dlq').description('dead letters: list them, look at one, replay them');
  where(dlq.command('list').description('dead letters, oldest first'))
    .option('--pending', 'only those that were not replayed')
    .option('--json', 'one JSON object a line')
    .option('--limit <count>', 'the newest this many', whole, 100)
    .addHelpText(
      'after',
      '\nExamples:\n  baton dlq list --group attribution --pending\n  baton dlq list --reason schema --json | jq -r .id',
    )
    .action(told((options: ListOptions) => list(options)));
  where(
    dlq
      .command('show')
      .description('one dead letter with its headers and value')
      .argument('<id>', 'topic/partition/offset, as list prints it'),
  )
    .option('--json', 'as JSON')
    .addHelpText('after', '\nExample:\n  baton dlq show baton.clicks.v1/3/1042')
    .action(told((id: string, options: Where & { json?: true }) => show(id, options)));
  where(dlq.command('replay').description('sends dead letters to their topic again, mended where you say so'))
    .option('--id <id...>', 'these, by topic/partition/offset')
    .option('--all', 'all that were not replayed yet and fit --topic, --group and --reason')
    .option('--dry-run', 'say what would be sent, send nothing')
    .option('--value <file>', 'the mended value: a file with one JSON object (with a single --id)')
    .option('--set <path=value...>', 'change one field of the value; the value as JSON, else as text')
    .option('--header <name=value...>', 'change one header; an empty value takes it away')
    .option('--key <key>', 'the mended key (with a single --id)')
    .option('--force', 'send also what would become a dead letter again, or was replayed before')
    .addHelpText(
      'after',
      `
Every group that reads the topic sees the message again; those that have handled it ignore it, because it keeps its id.

Examples:
  baton dlq replay --all --group attribution --reason handler --dry-run
  baton dlq replay --id baton.conversions.v1/0/17 --set amountMinor=1250
  baton dlq replay --id baton.clicks.v1/3/1042 --header ce_type=baton.click.recorded.v1`,
    )
    .action(told((options: ReplayOptions) => replay(options)));
}

async function list(options: ListOptions): Promise<void> {
  const letters = (await read(connect(options), options)).filter((letter) => !options.pending || letter.replayedAt === null);
  const shown = letters.slice(-options.limit);
  if (options.json) return void shown.forEach((letter) => say(JSON.stringify(summary(letter))));
  if (letters.length === 0) return say('There are no dead letters here.');
  for (const letter of shown)
    say(
      `${letter.id}  ${letter.group}  ${letter.reason}  ${letter.at}${letter.replayedAt ? `  replayed ${letter.replayedAt}` : ''}\n    ${printable(letter.error)}`,
    );
  if (shown.length < letters.length) say(`… and ${letters.length - shown.length} older ones (--limit ${letters.length} shows all)`);
}

async function show(id: string, options: Where & { json?: true }): Promise<void> {
  for (const letter of await byIds(connect(options), [id], options)) {
    const text = letter.value === null ? null : printable(letter.value.subarray(0, SHOWN_BYTES).toString('utf8'));
    if (options.json) {
      say(
        JSON.stringify({
          ...summary(letter),
          headers: letter.headers,
          value: text,
          shownBytes: Math.min(letter.value?.length ?? 0, SHOWN_BYTES),
        }),
      );
      continue;
    }
    for (const [name, value] of Object.entries(summary(letter))) if (value !== null) say(`${name.padEnd(12)} ${printable(String(value))}`);
    for (const [name, value] of Object.entries(letter.headers)) say(`header       ${printable(name)}: ${printable(value)}`);
    say(text === null ? 'value        none' : `value\n${text}`);
    const rest = (letter.value?.length ?? 0) - SHOWN_BYTES;
    if (rest > 0) say(`… and ${rest} bytes more`);
  }
}

async function replay(options: ReplayOptions): Promise<void> {
  const { id: ids = [], all, dryRun, force } = options;
  if (ids.length === 0 && !all) throw new Error('say which: --id topic/partition/offset, or --all with --topic, --group or --reason');
  if ((options.value !== undefined || options.key !== undefined) && (all || ids.length !== 1))
    throw new Error('--value and --key mend one message: use them with a single --id');
  const kafka = connect(options);
  const letters = unique(all ? await read(kafka, options) : await byIds(kafka, ids, options));
  const mending = { ...options, value: options.value === undefined ? undefined : jsonFile(options.value) };
  const producer = new BoundedProducer({ kafka, deadlineMs: 15_000 });
  const counts = { sent: 0, passed: 0, refused: 0 };
  try {
    for (const { letter, groups } of letters) {
      if (letter.replayedAt !== null && !force) {
        counts.passed++;
        if (!all) say(`${letter.id}: was replayed at ${letter.replayedAt}; --force sends it again`);
        continue;
      }
      const refusal = problemOf(() => refusalOf(mended(letter, mending), letter.topic));
      if (refusal !== null && !(force && refusal.bearable)) {
        counts.refused++;
        complain(`${letter.id}: not sent: ${printable(refusal.text)}`);
        continue;
      }
      if (!dryRun) {
        await producer.send([mended(letter, mending)]);
        // Marked after it was sent: a crash between the two makes a repeat, which its id makes harmless, never a loss.
        await producer.send(groups.map((group) => replayMarker(letter, deadLetterTopic(letter.topic, group), new Date())));
      }
      counts.sent++;
      if (!all || dryRun) say(`${letter.id}: ${dryRun ? 'would be sent' : 'sent'} to ${letter.topic}`);
      else if (counts.sent % PROGRESS_EVERY === 0) complain(`${counts.sent} of ${letters.length} sent …`);
    }
  } finally {
    await producer.close();
  }
  say(`${counts.sent} ${dryRun ? 'would be sent' : 'sent'}, ${counts.passed} replayed before, ${counts.refused} refused`);
  if (counts.refused > 0) process.exitCode = 1;
}

/** What stands in the way of a replay; bearable where --force may pass over it. */
function problemOf(check: () => string | null): { text: string; bearable: boolean } | null {
  try {
    const text = check();
    return text === null
      ? null
      : { text: `it would become a dead letter again (${text}). Mend it with --set, --value, --key or --header`, bearable: true };
  } catch (error) {
    return { text: error instanceof Error ? error.message : String(error), bearable: false };
  }
}

/** One message may be a dead letter of several groups: it is sent once and marked in each. */
function unique(letters: readonly DeadLetter[]): { letter: DeadLetter; groups: string[] }[] {
  const found = new Map<string, { letter: DeadLetter; groups: string[] }>();
  for (const letter of letters) {
    const before = found.get(letter.id);
    if (before) before.groups.push(letter.group);
    else found.set(letter.id, { letter, groups: [letter.group] });
  }
  return [...found.values()];
}

async function byIds(kafka: KafkaConnection, ids: readonly string[], options: Where): Promise<DeadLetter[]> {
  const topics = new Set(ids.map(topicOf));
  const letters: DeadLetter[] = [];
  for (const topic of topics) letters.push(...(await read(kafka, { ...options, topic })).filter((letter) => ids.includes(letter.id)));
  const missing = ids.filter((id) => !letters.some((letter) => letter.id === id));
  if (missing.length > 0)
    throw new Error(`there is no dead letter ${missing.join(', ')}${options.group ? ` of ${options.group}` : ''}: see \`baton dlq list\``);
  return letters;
}

function topicOf(id: string): Topic {
  const match = /^(?<topic>.+)\/\d+\/\d+$/.exec(id);
  const topic = Object.values(TOPICS).find((t) => t === match?.groups?.['topic']);
  if (!topic)
    throw new Error(
      `"${id}" is not the id of a dead letter: it looks like ${TOPICS.clicks}/3/1042 (topic/partition/offset), as \`baton dlq list\` prints it`,
    );
  return topic;
}

async function read(kafka: KafkaConnection, { topic, group, reason }: Where): Promise<DeadLetter[]> {
  const pairs = Object.entries(CONSUMER_GROUPS).flatMap(([g, topics]) => topics.map((t) => ({ group: g, topic: t })));
  const wanted = pairs.filter((p) => (!topic || p.topic === topic) && (!group || p.group === group));
  if (wanted.length === 0)
    throw new Error(
      `no group ${group ?? ''} reads ${topic ?? 'any topic'}; there are: ${pairs.map((p) => `${p.group} (${p.topic})`).join(', ')}`,
    );
  const letters: DeadLetter[] = [];
  for (const pair of wanted) {
    const records: TopicRecord[] = [];
    const progress = (count: number, total: number): void =>
      void (count >= PROGRESS_EVERY && complain(`${deadLetterTopic(pair.topic, pair.group)}: ${count} of at most ${total} read …`));
    await readTopic({ kafka, topic: deadLetterTopic(pair.topic, pair.group), each: (record) => records.push(record), progress });
    letters.push(...deadLettersOf(records, pair.topic, pair.group).filter((letter) => !reason || letter.reason === reason));
  }
  return letters.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

function connect({ brokers, prefix }: Where): KafkaConnection {
  if (!brokers) throw new Error('which Kafka? Set KAFKA_BROKERS, or give --brokers host:port');
  return kafkaOfEnvironment({ brokers, prefix });
}

const where = (command: Command): Command =>
  command
    .addOption(new Option('--brokers <host:port,…>', 'Kafka').env('KAFKA_BROKERS'))
    .addOption(new Option('--prefix <prefix>', 'in front of every topic').env('TOPIC_PREFIX').default(''))
    .addOption(new Option('--topic <topic>', 'the original topic').choices(Object.values(TOPICS)))
    .addOption(new Option('--group <group>', 'the consumer group').choices(Object.keys(CONSUMER_GROUPS)))
    .option('--reason <reason>', 'such as schema, wrong_tenant, handler');

/** An error is a sentence for the operator, not a stack. */
const told =
  <A extends unknown[]>(action: (...args: A) => Promise<void>) =>
  async (...args: A): Promise<void> => {
    try {
      await action(...args);
    } catch (error) {
      complain(`baton dlq: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    }
  };

const summary = ({ id, topic, group, reason, error, at, key, value, cutFromBytes, copies, replayedAt, headers }: DeadLetter) => ({
  id,
  topic,
  group,
  reason,
  error,
  at,
  key,
  type: headers['ce_type'] ?? null,
  tenant: headers['ce_tenant'] ?? null,
  bytes: cutFromBytes ?? value?.length ?? 0,
  copies,
  replayedAt,
});

function jsonFile(file: string): string {
  try {
    return JSON.stringify(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    throw new Error(`--value ${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function whole(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--limit ${text}: give a whole number from 1`);
  return count;
}

// What strangers sent may hold escape sequences: a terminal must not obey them.
const printable = (text: string): string => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const complain = (line: string): void => void process.stderr.write(`${line}\n`);
