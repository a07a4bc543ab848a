/** Public topics by their unprefixed names; an environment may set a prefix in front. */
export const TOPICS = {
  catalog: 'baton.catalog.v1',
  credentials: 'baton.credentials.v1',
  clicks: 'baton.clicks.v1',
  touches: 'baton.touches.v1',
  clickCounts: 'baton.click-counts.v1',
  conversions: 'baton.conversions.v1',
  reversals: 'baton.reversals.v1',
  identities: 'baton.identities.v1',
  attributions: 'baton.attributions.v1',
  verdicts: 'baton.verdicts.v1',
  rewards: 'baton.rewards.v1',
  deliveries: 'baton.deliveries.v1',
} as const;
export type Topic = (typeof TOPICS)[keyof typeof TOPICS];

export interface TopicSpec {
  readonly topic: Topic;
  readonly kind: 'compacted' | 'fact' | 'revision' | 'state' | 'outcome';
  /** Private topics carry what no subscriber may see. */
  readonly isPublic: boolean;
  readonly partitions: number;
  /** -1: for ever (compacted). */
  readonly retentionMs: number;
  readonly key: string;
  readonly orderMeans: string;
  /** `pseudonymous`: keyed hashes and ids of visitors and orders; `names`: also names of partners and of customers who refer. */
  readonly personalData: 'none' | 'pseudonymous' | 'names';
}

const DAY_MS = 86_400_000;

/** Partitions, retention and compaction of every topic: the one place that states them. */
export const TOPIC_SPECS: readonly TopicSpec[] = [
  {
    topic: TOPICS.catalog,
    kind: 'compacted',
    isPublic: true,
    partitions: 1,
    retentionMs: -1,
    key: 'tenant:type:id; programs and plans tenant:type:id:version',
    orderMeans: 'one partition: catalogVersion ascends; the highest version of an entity is its state; a null value is a tombstone',
    personalData: 'names',
  },
  {
    topic: TOPICS.credentials,
    kind: 'compacted',
    isPublic: false,
    partitions: 1,
    retentionMs: -1,
    key: 'key id',
    orderMeans: 'the highest version of a key is its state',
    personalData: 'none',
  },
  {
    topic: TOPICS.clicks,
    kind: 'fact',
    isPublic: true,
    partitions: 6,
    retentionMs: 30 * DAY_MS,
    key: 'click id',
    orderMeans: 'nothing: facts carry occurredAt',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.touches,
    kind: 'fact',
    isPublic: true,
    partitions: 6,
    retentionMs: 30 * DAY_MS,
    key: 'touch id',
    orderMeans: 'nothing: facts carry occurredAt',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.clickCounts,
    kind: 'compacted',
    isPublic: false,
    partitions: 1,
    retentionMs: -1,
    key: 'replica:link number',
    orderMeans: 'the highest count of a key is its state',
    personalData: 'none',
  },
  {
    topic: TOPICS.conversions,
    kind: 'fact',
    isPublic: true,
    partitions: 6,
    retentionMs: 90 * DAY_MS,
    key: 'conversion id',
    orderMeans: 'nothing: facts carry occurredAt',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.reversals,
    kind: 'fact',
    isPublic: true,
    partitions: 3,
    retentionMs: 90 * DAY_MS,
    key: 'tenant:external id',
    orderMeans: 'nothing: facts carry occurredAt',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.identities,
    kind: 'fact',
    isPublic: true,
    partitions: 3,
    retentionMs: 90 * DAY_MS,
    key: 'tenant:smallest identifier',
    orderMeans: 'nothing: facts carry occurredAt',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.attributions,
    kind: 'revision',
    isPublic: true,
    partitions: 6,
    retentionMs: 90 * DAY_MS,
    key: 'conversion id',
    orderMeans: 'the highest revision of a conversion wins',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.verdicts,
    kind: 'revision',
    isPublic: true,
    partitions: 6,
    retentionMs: 90 * DAY_MS,
    key: 'conversion id',
    orderMeans: 'the highest (attributionRevision, verdictSeq) of a conversion wins',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.rewards,
    kind: 'state',
    isPublic: true,
    partitions: 6,
    retentionMs: 90 * DAY_MS,
    key: 'reward id',
    orderMeans: 'the highest sequence of a reward is its state',
    personalData: 'pseudonymous',
  },
  {
    topic: TOPICS.deliveries,
    kind: 'outcome',
    isPublic: true,
    partitions: 3,
    retentionMs: 30 * DAY_MS,
    key: 'endpoint id',
    orderMeans: 'attempts of one endpoint in the order in which they ended',
    personalData: 'pseudonymous',
  },
];

export const specOf = (topic: Topic): TopicSpec => {
  const spec = TOPIC_SPECS.find((s) => s.topic === topic);
  if (!spec) throw new Error(`no spec for topic ${topic}`);
  return spec;
};

/** Which consumer group reads which topics: what dead-letter topics there are follows from it. */
export const CONSUMER_GROUPS: Readonly<Record<string, readonly Topic[]>> = {
  'conversion-ingest': [TOPICS.catalog, TOPICS.credentials, TOPICS.attributions, TOPICS.verdicts, TOPICS.rewards],
  attribution: [TOPICS.catalog, TOPICS.clicks, TOPICS.conversions, TOPICS.reversals, TOPICS.identities],
  'fraud-scoring': [TOPICS.clicks, TOPICS.attributions],
  'reward-fulfillment': [TOPICS.catalog, TOPICS.credentials, TOPICS.verdicts],
  'control-plane': [TOPICS.conversions, TOPICS.attributions],
  'click-redirect': [TOPICS.catalog, TOPICS.clickCounts],
};

/** Dead letters of one consumer group, both names unprefixed: `baton.clicks.v1.dlq.attribution`. */
export const deadLetterTopic = (topic: Topic, group: string): string => `${topic}.dlq.${group}`;
