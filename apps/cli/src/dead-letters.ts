import { InvalidEvent, parse, type Topic } from '@baton/contracts';
import type { OutgoingMessage, TopicRecord } from '@baton/platform';

/** One message that a consumer group could not handle. */
export interface DeadLetter {
  /** `topic/partition/offset` of the original: its name in every command. */
  readonly id: string;
  readonly topic: Topic;
  readonly group: string;
  readonly reason: string;
  readonly error: string;
  /** When it became a dead letter, RFC 3339. */
  readonly at: string;
  readonly key: string | null;
  readonly value: Buffer | null;
  /** The original's own. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the original where the value did not fit whole. */
  readonly cutFromBytes: number | null;
  /** How often it was written: consumers may repeat themselves. */
  readonly copies: number;
  /** When it was replayed, or null. */
  readonly replayedAt: string | null;
}

/** A marker in the same topic says that a dead letter was replayed. */
const REPLAYED = 'baton_dlq_replayed';
const REPLAYED_AT = 'baton_dlq_replayed_at';
/** On the message that is sent again: which one it repeats. */
const REPLAY_OF = 'baton_replay_of';

/** The dead letters among the records of one dead-letter topic, oldest first; repeats count as one. */
export function deadLettersOf(records: readonly TopicRecord[], topic: Topic, group: string): DeadLetter[] {
  const letters = new Map<string, DeadLetter>();
  const replayed = new Map<string, string>();
  for (const record of records) {
    const headers = textHeaders(record.headers);
    const marked = headers[REPLAYED];
    if (marked !== undefined) {
      replayed.set(marked, headers[REPLAYED_AT] ?? '');
      continue;
    }
    const id = `${topic}/${headers['baton_dlq_partition'] ?? '?'}/${headers['baton_dlq_offset'] ?? '?'}`;
    letters.set(id, {
      id,
      topic,
      group,
      reason: headers['baton_dlq_reason'] ?? 'unknown',
      error: headers['baton_dlq_error'] ?? '',
      at: headers['baton_dlq_at'] ?? new Date(record.writtenMs).toISOString(),
      key: record.key === null ? null : record.key.toString(),
      value: record.value,
      headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith('baton_dlq_'))),
      cutFromBytes: headers['baton_dlq_cut'] === undefined ? null : Number(headers['baton_dlq_cut']),
      copies: (letters.get(id)?.copies ?? 0) + 1,
      replayedAt: null,
    });
  }
  return [...letters.values()]
    .map((letter) => ({ ...letter, replayedAt: replayed.get(letter.id) ?? null }))
    .sort((a, b) => (a.at === b.at ? (a.id < b.id ? -1 : 1) : a.at < b.at ? -1 : 1));
}

/** What the operator changes before a message is sent again. */
export interface Mending {
  /** The whole new value, as JSON text. */
  readonly value?: string;
  /** `path=value`: the value as JSON, else as text. */
  readonly set?: readonly string[];
  /** `name=value`; an empty value takes the header away. */
  readonly header?: readonly string[];
  readonly key?: string;
}

/** The message to send to the original topic. Throws `Error` with what is wrong in the mending. */
export function mended(letter: DeadLetter, { value, set = [], header = [], key }: Mending): OutgoingMessage {
  if (letter.cutFromBytes !== null && value === undefined) {
    throw new Error(
      `only the beginning of its ${letter.cutFromBytes} bytes was kept. Give the whole value with --value file.json; the original is at ${letter.id} while that topic keeps it`,
    );
  }
  const headers: Record<string, string> = { ...letter.headers, [REPLAY_OF]: letter.id };
  for (const change of header) {
    const [name, text] = pair(change, '--header name=value');
    if (text === '') delete headers[name];
    else headers[name] = text;
  }
  return {
    topic: letter.topic,
    key: key ?? letter.key,
    value: mendedValue(value === undefined ? letter.value : Buffer.from(value), set),
    headers,
  };
}

/** Why a consumer would refuse this message again, or null. */
export function refusalOf(message: OutgoingMessage, topic: Topic): string | null {
  try {
    parse(topic, { key: message.key, value: message.value === null ? null : Buffer.from(message.value), headers: message.headers });
    return null;
  } catch (error) {
    if (error instanceof InvalidEvent) return error.message;
    throw error;
  }
}

export const replayMarker = (letter: DeadLetter, deadTopic: string, at: Date): OutgoingMessage => ({
  topic: deadTopic,
  key: letter.key,
  value: null,
  headers: { [REPLAYED]: letter.id, [REPLAYED_AT]: at.toISOString() },
});

function mendedValue(value: Buffer | null, set: readonly string[]): Buffer | null {
  if (set.length === 0) return value;
  const data = objectOf(value);
  for (const change of set) {
    const [path, text] = pair(change, '--set path=value');
    const steps = path.split('.');
    if (steps.some((step) => step === '' || ['__proto__', 'constructor', 'prototype'].includes(step)))
      throw new Error(`--set ${path}: not a path into an event`);
    const last = steps.pop() as string;
    let place: Record<string, unknown> = data;
    for (const step of steps) {
      const inner = place[step];
      if (typeof inner !== 'object' || inner === null) throw new Error(`--set ${path}: there is no "${step}" to go into`);
      place = inner as Record<string, unknown>;
    }
    place[last] = jsonOrText(text);
  }
  return Buffer.from(JSON.stringify(data));
}

function objectOf(value: Buffer | null): Record<string, unknown> {
  const data = value === null ? null : jsonOrText(value.toString());
  if (typeof data !== 'object' || data === null || Array.isArray(data))
    throw new Error('its value is not a JSON object, so that --set has nothing to change: give a whole value with --value file.json');
  return data as Record<string, unknown>;
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

function pair(text: string, shape: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`"${text}" is not of the form ${shape}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

const textHeaders = (headers: TopicRecord['headers']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, String(Array.isArray(value) ? value[0] : value)]],
    ),
  );
