import { deadLetterTopic, type InvalidEventReason, type Topic } from '@baton/contracts';
import type { KafkaMessage } from 'kafkajs';
import type { OutgoingMessage } from './producer';

export interface DeadLetter {
  readonly message: KafkaMessage;
  readonly reason: InvalidEventReason;
  readonly error: string;
}

export interface Place {
  readonly topic: Topic;
  readonly partition: number;
  readonly group: string;
}

/** Headers that a dead letter has beside the original's own. `baton_dlq_cut` (the original's bytes) only where the value did not fit whole. */
export const DEAD_LETTER_HEADERS = [
  'baton_dlq_reason',
  'baton_dlq_error',
  'baton_dlq_topic',
  'baton_dlq_partition',
  'baton_dlq_offset',
  'baton_dlq_group',
  'baton_dlq_at',
  'baton_dlq_cut',
] as const;

const CUT_BYTES = 64 * 1024;

/** The original key, bytes and headers, and why it could not be handled. Topic, partition and offset make a repeat recognisable. */
export function deadLetterMessage({ message, reason, error }: DeadLetter, { topic, partition, group }: Place, at: Date): OutgoingMessage {
  return {
    topic: deadLetterTopic(topic, group),
    key: message.key,
    value: message.value,
    headers: {
      ...ownHeaders(message),
      baton_dlq_reason: reason,
      baton_dlq_error: error,
      baton_dlq_topic: topic,
      baton_dlq_partition: String(partition),
      baton_dlq_offset: message.offset,
      baton_dlq_group: group,
      baton_dlq_at: at.toISOString(),
    },
  };
}

/** The same with as much of the value and headers as fits anywhere: a message that even the dead letters refuse may not stop its partition. */
export function cutDeadLetter(letter: OutgoingMessage): OutgoingMessage {
  const value = Buffer.from(letter.value ?? '');
  const known = Object.entries(letter.headers).filter(
    ([name, header]) => name.startsWith('baton_dlq_') || (/^ce_/.test(name) && Buffer.byteLength(String(header)) <= 1_024),
  );
  return {
    topic: letter.topic,
    key: letter.key === null ? null : Buffer.from(letter.key).subarray(0, 1_024),
    value: value.subarray(0, CUT_BYTES),
    headers: { ...Object.fromEntries(known), baton_dlq_cut: String(value.length) },
  };
}

function ownHeaders({ headers = {} }: KafkaMessage): OutgoingMessage['headers'] {
  return Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}
