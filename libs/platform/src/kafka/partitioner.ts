import type { ICustomPartitioner } from 'kafkajs';

/**
 * The partition of a key as Java's client and kafkajs's default have it (murmur2), by 32-bit arithmetic: kafkajs makes a BigInt for each
 * step. Messages without a key go in turns.
 */
export const partitioner: ICustomPartitioner = () => {
  let turn = 0;
  return ({ partitionMetadata, message }) => {
    const count = partitionMetadata.length;
    if (message.partition !== undefined && message.partition !== null) return message.partition;
    if (message.key !== undefined && message.key !== null) return (murmur2(bytesOf(message.key)) & 0x7fffffff) % count;
    const available = partitionMetadata.filter(({ leader }) => leader >= 0);
    turn = (turn + 1) & 0x7fffffff;
    return available.length > 0 ? (available[turn % available.length]?.partitionId ?? 0) : turn % count;
  };
};

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const bytesOf = (key: Buffer | string): Buffer => (typeof key === 'string' ? Buffer.from(key) : key);

export function murmur2(data: Buffer): number {
  const { length } = data;
  let hash = SEED ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = Math.imul(data.readInt32LE(at), M);
    k = Math.imul(k ^ (k >>> 24), M);
    hash = Math.imul(hash, M) ^ k;
  }
  const rest = length - at;
  if (rest === 3) hash ^= (data[at + 2] as number) << 16;
  if (rest >= 2) hash ^= (data[at + 1] as number) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ (data[at] as number), M);
  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
