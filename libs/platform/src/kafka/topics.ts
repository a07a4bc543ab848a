import { type Admin, ConfigResourceTypes } from 'kafkajs';
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
const ANSWERING_MAX_MS = 30_000;
/** `configSource` of what was set on the topic itself. */
const SET_ON_TOPIC = 1;

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
  readonly did: 'created' | 'partitions added' | 'configured' | 'kept' | 'has more partitions than planned';
}

/**
 * Creates what is missing, adds partitions, sets the planned configuration (what else an operator has set on a topic stays); never takes
 * anything away. Safe to run again and at once. Returns when every new partition has a leader that answers.
 */
export async function createTopics(kafka: KafkaConnection): Promise<TopicChange[]> {
  const plans = plannedTopics(kafka.prefix);
  return withAdmin(kafka, async (admin) => {
    const existing = new Set(await admin.listTopics());
    const missing = plans.filter((plan) => !existing.has(plan.topic));
    if (missing.length > 0) {
      await admin.createTopics({
        waitForLeaders: true,
        topics: missing.map(({ topic, partitions, configs }) => ({
          topic,
          numPartitions: partitions,
          replicationFactor: -1,
          configEntries: entriesOf(configs),
        })),
      });
    }
    const present = plans.filter((plan) => existing.has(plan.topic));
    const configured = await configure(admin, present);
    const grown = await grow(admin, present);
    await answering(admin, [...missing, ...present.filter((plan) => grown.has(plan.topic))]);
    return plans.map(({ topic }) => ({
      topic,
      did: existing.has(topic) ? (grown.get(topic) ?? (configured.has(topic) ? 'configured' : 'kept')) : 'created',
    }));
  });
}

const entriesOf = (configs: Readonly<Record<string, string>>): { name: string; value: string }[] =>
  Object.entries(configs).map(([name, value]) => ({ name, value }));

/** The request replaces the whole configuration of a topic, so what was set by hand is sent along. Gives the topics that it changed. */
async function configure(admin: Admin, plans: readonly TopicPlan[]): Promise<Set<string>> {
  if (plans.length === 0) return new Set();
  const described = await admin.describeConfigs({
    includeSynonyms: false,
    resources: plans.map(({ topic }) => ({ type: ConfigResourceTypes.TOPIC, name: topic })),
  });
  const current = new Map(
    described.resources.map((r) => [
      r.resourceName,
      Object.fromEntries(r.configEntries.filter((e) => Number(e.configSource) === SET_ON_TOPIC).map((e) => [e.configName, e.configValue])),
    ]),
  );
  const differing = plans.filter(({ topic, configs }) =>
    Object.entries(configs).some(([name, value]) => current.get(topic)?.[name] !== value),
  );
  if (differing.length > 0) {
    await admin.alterConfigs({
      validateOnly: false,
      resources: differing.map(({ topic, configs }) => ({
        type: ConfigResourceTypes.TOPIC,
        name: topic,
        configEntries: entriesOf({ ...current.get(topic), ...configs }),
      })),
    });
  }
  return new Set(differing.map((plan) => plan.topic));
}

async function grow(admin: Admin, plans: readonly TopicPlan[]): Promise<Map<string, TopicChange['did']>> {
  const done = new Map<string, TopicChange['did']>();
  if (plans.length === 0) return done;
  const { topics } = await admin.fetchTopicMetadata({ topics: plans.map((p) => p.topic) });
  const counts = new Map(topics.map((t) => [t.name, t.partitions.length]));
  for (const plan of plans) {
    const count = counts.get(plan.topic) ?? 0;
    if (count > plan.partitions) done.set(plan.topic, 'has more partitions than planned');
    if (count >= plan.partitions) continue;
    try {
      await admin.createPartitions({ topicPartitions: [{ topic: plan.topic, count: plan.partitions }] });
    } catch (error) {
      // Another replica that starts just now was first.
      if ((error as { type?: string }).type !== 'INVALID_PARTITIONS') throw error;
    }
    done.set(plan.topic, 'partitions added');
  }
  return done;
}

/** A new partition has a leader in the metadata before that leader knows of it. */
async function answering(admin: Admin, plans: readonly TopicPlan[]): Promise<void> {
  const end = Date.now() + ANSWERING_MAX_MS;
  for (const { topic } of plans) {
    for (;;) {
      try {
        await admin.fetchTopicOffsets(topic);
        break;
      } catch (error) {
        if (Date.now() > end) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }
}
