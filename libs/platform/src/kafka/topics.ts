import { ConfigResourceTypes } from 'kafkajs';
import { CONSUMER_GROUPS, deadLetterTopic, specOf, TOPIC_SPECS } from '@baton/contracts';
import { type KafkaConnection, withAdmin } from './kafka';

export interface TopicPlan {
  /** With the prefix. */
  readonly topic: string;
  readonly partitions: number;
  readonly configs: Readonly<Record<string, string>>;
}

const DAY_MS = 86_400_000;
const VALUE_MAX_BYTES = 1_048_588;

/** Every topic there must be, dead letters included, and how it is kept. */
export function plannedTopics(prefix: string): TopicPlan[] {
  const own = TOPIC_SPECS.map((spec) => ({
    topic: prefix + spec.topic,
    partitions: spec.partitions,
    configs: {
      'cleanup.policy': spec.kind === 'compacted' ? 'compact' : 'delete',
      'retention.ms': String(spec.retentionMs),
      'max.message.bytes': String(VALUE_MAX_BYTES),
      // Tombstones are kept for a week, so that a reader that was away for less misses none.
      ...(spec.kind === 'compacted' ? { 'delete.retention.ms': String(7 * DAY_MS), 'min.cleanable.dirty.ratio': '0.1' } : {}),
    },
  }));
  const dead = Object.entries(CONSUMER_GROUPS).flatMap(([group, topics]) =>
    topics.map((topic) => ({
      topic: prefix + deadLetterTopic(topic, group),
      partitions: Math.min(specOf(topic).partitions, 3),
      // A dead letter is the original and its headers: the largest original must still fit.
      configs: { 'cleanup.policy': 'delete', 'retention.ms': String(90 * DAY_MS), 'max.message.bytes': String(VALUE_MAX_BYTES + 65_536) },
    })),
  );
  return [...own, ...dead];
}

export interface TopicChange {
  readonly topic: string;
  readonly did: 'created' | 'partitions added' | 'kept' | 'has more partitions than planned';
}

/** Creates what is missing, adds partitions, sets the configuration; never takes anything away. Safe to run again and at once. */
export async function createTopics(kafka: KafkaConnection): Promise<TopicChange[]> {
  const plans = plannedTopics(kafka.prefix);
  return withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const missing = plans.filter((plan) => !existing.has(plan.topic));
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map(({ topic, partitions, configs }) => ({ topic, numPartitions: partitions, replicationFactor: -1, configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })) })),
      });
    }
    const present = plans.filter((plan) => existing.has(plan.topic));
    const grown = present.length > 0 ? await grow(admin, present) : new Map<string, TopicChange['did']>();
    if (present.length > 0) {
      await admin.alterConfigs({
        validateOnly: false,
        resources: present.map(({ topic, configs }) => ({ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })) })),
      });
    }
    return plans.map(({ topic }) => ({ topic, did: existing.has(topic) ? (grown.get(topic) ?? 'kept') : 'created' }));
  });
}

async function grow(admin: Parameters<Parameters<typeof withAdmin>[1]>[0], plans: readonly TopicPlan[]): Promise<Map<string, TopicChange['did']>> {
  const { topics } = await admin.fetchTopicMetadata({ topics: plans.map((p) => p.topic) });
  const counts = new Map(topics.map((t) => [t.name, t.partitions.length]));
  const done = new Map<string, TopicChange['did']>();
  const more = plans.filter((plan) => (counts.get(plan.topic) ?? 0) < plan.partitions);
  for (const plan of plans) if ((counts.get(plan.topic) ?? 0) > plan.partitions) done.set(plan.topic, 'has more partitions than planned');
  if (more.length > 0) await admin.createPartitions({ topicPartitions: more.map((plan) => ({ topic: plan.topic, count: plan.partitions })) });
  for (const plan of more) done.set(plan.topic, 'partitions added');
  return done;
}
