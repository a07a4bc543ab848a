import { TOPICS } from '@baton/contracts';
import { ownPrefix, stores } from '@baton/testing';
import { ConfigResourceTypes } from 'kafkajs';
import { withAdmin } from './kafka';
import { Testbed } from './testbed';
import { createTopics, plannedTopics } from './topics';

const bed = new Testbed(stores(), ownPrefix());
afterAll(() => bed.producer.close());

const settingsOf = (topic: string) =>
  withAdmin(bed.kafka, async (admin) => {
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: bed.prefix + topic }],
    });
    return Object.fromEntries(resources[0]!.configEntries.map((e) => [e.configName, e.configValue]));
  });

describe('the topics', () => {
  it('are created by several starters at once, and kept afterwards', async () => {
    const all = await Promise.all([createTopics(bed.kafka), createTopics(bed.connect())]);
    expect(all[0]).toHaveLength(plannedTopics('').length);
    expect((await createTopics(bed.kafka)).map((t) => t.did)).toEqual(plannedTopics('').map(() => 'kept'));
    expect(await settingsOf(TOPICS.catalog)).toMatchObject({ 'cleanup.policy': 'compact' });
    expect(Number((await settingsOf(`${TOPICS.clicks}.dlq.attribution`))['max.message.bytes'])).toBeGreaterThan(
      Number((await settingsOf(TOPICS.clicks))['max.message.bytes']),
    );
  }, 90_000);

  it('get back what was changed by hand, and keep what an operator added', async () => {
    await withAdmin(bed.kafka, (admin) =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: ConfigResourceTypes.TOPIC,
            name: bed.prefix + TOPICS.clicks,
            configEntries: [
              { name: 'retention.ms', value: '1000' },
              { name: 'segment.bytes', value: '2000000' },
            ],
          },
        ],
      }),
    );
    const changes = await createTopics(bed.kafka);
    expect(changes.filter((c) => c.did !== 'kept')).toEqual([{ topic: bed.prefix + TOPICS.clicks, did: 'configured' }]);
    expect(await settingsOf(TOPICS.clicks)).toMatchObject({ 'retention.ms': String(30 * 86_400_000), 'segment.bytes': '2000000' });
  }, 60_000);
});
