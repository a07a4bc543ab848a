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

/** Headers that a dead letter has beside the original's own. */
export const DEAD_LETTER_HEADERS = ['baton_dlq_reason', 'baton_dlq_error', 'baton_dlq_topic', 'baton_dlq_partition', 'baton_dlq_offset', 'baton_dlq_group', 'baton_dlq_at'] as const;

/** The original key, bytes and headers, and why it could not be handled. Topic, partition and offset make a repeat recognisable. */
export function deadLetterMessage({ message, reason, error }: DeadLetter, { topic, partition, group }: Place, at: Date): OutgoingMessage {
  const headers: Record<string, string | Buffer> = {};
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) headers[name] = first;
  }
  return {
    topic: deadLetterTopic(topic, group),
    key: message.key,
    value: message.value,
    headers: {
      ...headers,
      baton_dlq_reason: reason,
      baton_dlq_error: error.slice(0, 1_000),
      baton_dlq_topic: topic,
      baton_dlq_partition: String(partition),
      baton_dlq_offset: message.offset,
      baton_dlq_group: group,
      baton_dlq_at: at.toISOString(),
    },
  };
}
