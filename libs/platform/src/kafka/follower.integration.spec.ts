import { emit, encode, TenantChanged, type TenantEntity, TOPICS } from '@baton/contracts';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { connectKafka, type KafkaConnection } from './kafka';
import { type FollowerPosition, type FollowerResume, TopicFollower } from './follower';
import { log, Testbed } from './testbed';
import { createTopics } from './topics';

const bed = new Testbed(stores(), ownPrefix());
const followers: TopicFollower[] = [];

beforeAll(() => createTopics(bed.kafka), 60_000);
afterEach(async () => {
  for (const follower of followers.splice(0)) await follower.stop();
}, 30_000);
afterAll(() => bed.producer.close());

const tenant = (version = 1): TenantEntity => {
  const id = randomUUID();
  return { ...TenantChanged.sample, tenantId: id, id, version, catalogVersion: version };
};
const put = (...messages: { key: string; value: string | null; headers?: Record<string, string> }[]) => bed.put(messages, TOPICS.catalog);
const messageOf = (entity: TenantEntity) => encode(emit(TenantChanged, entity));

const follow = async (kafka: KafkaConnection = bed.connect(), from?: FollowerResume['from'], failures = 0) => {
  const reads: FollowerPosition[] = [];
  const lost: string[] = [];
  const seen: string[] = [];
  const gone: string[] = [];
  const dead: string[] = [];
  const follower = new TopicFollower({
    kafka,
    topic: TOPICS.catalog,
    group: 'click-redirect',
    apply: (events, tombstones, read) => {
      if (failures-- > 0) throw new Error('no room');
      reads.push(read);
      seen.push(...events.map((e) => e.id));
      gone.push(...tombstones);
    },
    log,
    onDead: (reason) => dead.push(reason),
    ...(from === undefined ? {} : { resume: { from, onLost: (reason) => lost.push(reason) } }),
  });
  followers.push(follower);
  await follower.start();
  return { follower, seen, gone, dead, reads, lost };
};

describe('a follower of a compacted topic', () => {
  it('has caught up with an empty topic at once', async () => {
    const { follower } = await follow();
    expect(follower.unready()).toBe('has not read the whole topic yet');
    await follower.caughtUp;
    expect(follower.unready()).toBeUndefined();
    expect(follower.stalenessMs()).toBeLessThan(2_000);
  }, 30_000);

  it('has every earlier message before it says that it caught up, passes over poison, and stays at the end', async () => {
    const entities = Array.from({ length: 300 }, () => tenant());
    await put(
      ...entities.slice(0, 150).map(messageOf),
      { key: 'x', value: 'no json' },
      { key: entities[0]!.id, value: null },
      ...entities.slice(150).map(messageOf),
    );
    const { follower, seen, gone, dead } = await follow();
    await follower.caughtUp;
    expect(seen).toEqual(expect.arrayContaining(entities.map((e) => `tenant:${e.id}:1`)));
    expect(gone).toContain(entities[0]!.id);
    const next = tenant();
    await put(messageOf(next));
    await eventually(() => expect(seen).toContain(`tenant:${next.id}:1`));
    expect(dead).toEqual([]);
    // It ages between two fetches, and each fetch at the end makes it young again.
    await eventually(() => follower.stalenessMs() > 100, 5_000);
    await eventually(() => follower.stalenessMs() < 100, 5_000);
  }, 30_000);

  it('shows each of two processes everything', async () => {
    const entity = tenant();
    await put(messageOf(entity));
    for (const { follower, seen } of [await follow(), await follow()]) {
      await follower.caughtUp;
      expect(seen).toContain(`tenant:${entity.id}:1`);
    }
  }, 30_000);

  it('starts and stops while there is no broker, and grows staler', async () => {
    const { follower, dead } = await follow(connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', prefix: bed.prefix, log }));
    expect(follower.stalenessMs()).toBe(Infinity);
    await follower.stop();
    expect(dead).toEqual([]);
  }, 30_000);

  it('goes on where its user says that it was, and reads nothing twice', async () => {
    const [before, after] = [tenant(), tenant()];
    await put(messageOf(before));
    const first = await follow(bed.connect(), null);
    await first.follower.caughtUp;
    expect(first.seen).toContain(`tenant:${before.id}:1`);
    const { clusterId, partition, offset } = first.reads.at(-1)!;
    const from = { clusterId, next: new Map([[partition, offset]]) };
    const second = await follow(bed.connect(), from);
    await second.follower.caughtUp;
    expect(second.seen).toEqual([]);
    await put(messageOf(after));
    await eventually(() => expect(second.seen).toEqual([`tenant:${after.id}:1`]));
    expect([second.lost, second.reads.at(-1)]).toEqual([[], { clusterId, partition, offset: offset + 1n }]);
  }, 30_000);

  it('applies nothing when its position lies beyond the topic, or in another cluster', async () => {
    await put(messageOf(tenant()));
    const { reads, follower } = await follow(bed.connect(), null);
    await follower.caughtUp;
    const { clusterId, partition, offset } = reads.at(-1)!;
    const beyond = await follow(bed.connect(), { clusterId, next: new Map([[partition, offset + 1_000n]]) });
    const elsewhere = await follow(bed.connect(), { clusterId: 'another', next: new Map([[partition, 1n]]) });
    await eventually(() => expect([...beyond.lost, ...elsewhere.lost]).toHaveLength(2));
    expect([beyond.lost[0], elsewhere.lost[0]]).toEqual([
      expect.stringContaining('was made anew'),
      expect.stringContaining('what was read lay in another'),
    ]);
    expect([beyond.seen, elsewhere.seen, beyond.follower.stalenessMs()]).toEqual([[], [], Infinity]);
  }, 30_000);

  it('shows what could not be applied again', async () => {
    const entity = tenant();
    await put(messageOf(entity));
    const { follower, seen, dead } = await follow(bed.connect(), null, 2);
    await follower.caughtUp;
    expect([dead.length, seen.includes(`tenant:${entity.id}:1`)]).toEqual([2, true]);
  }, 60_000);
});
