import type { Topic } from '@baton/contracts';
import { type KafkaConnection, withAdmin, within } from './kafka';

const ANSWER_MAX_MS = 10_000;

/** Whether the group has messages left to handle. False also where the broker does not answer: that is a reason to wait. */
export async function isBehind(kafka: KafkaConnection, group: string, topics: readonly Topic[]): Promise<boolean> {
  try {
    return (await within(ANSWER_MAX_MS, lagOf(kafka, group, topics))) ?? false;
  } catch {
    return false;
  }
}

const lagOf = (kafka: KafkaConnection, group: string, topics: readonly Topic[]): Promise<boolean> =>
  withAdmin(kafka, async (admin) => {
    const names = topics.map((topic) => kafka.prefix + topic);
    const committed = await admin.fetchOffsets({ groupId: kafka.prefix + group, topics: names });
    for (const { topic, partitions } of committed) {
      const reached = new Map(partitions.map((p) => [p.partition, BigInt(p.offset)]));
      for (const { partition, high, low } of await admin.fetchTopicOffsets(topic)) {
        const from = reached.get(partition) ?? -1n;
        if (BigInt(high) > (from < 0n ? BigInt(low) : from)) return true;
      }
    }
    return false;
  });
