import {
  allContracts,
  CONSUMER_GROUPS,
  deadLetterTopic,
  eventDocs,
  type JsonSchema,
  specOf,
  TOPIC_SPECS,
  TOPICS,
  type Topic,
} from './index';

/** Fields that lead to one person, by themselves or through another table. */
const PSEUDONYMS = new Set([
  'clickId',
  'visitorId',
  'customerId',
  'emailHash',
  'addressHash',
  'userAgentHash',
  'identifiers',
  'externalId',
  'eventId',
]);

describe('topics', () => {
  test('each is declared once', () => {
    expect(TOPIC_SPECS.map((spec) => spec.topic)).toEqual(Object.values(TOPICS));
    expect(() => specOf('baton.nothing.v1' as Topic)).toThrow('no spec for topic baton.nothing.v1');
  });

  test.each(allContracts().map((contract) => [contract.ceType, contract] as const))(
    '%s has a topic with a spec, in its version',
    (_name, contract) => {
      expect(specOf(contract.topic).topic.endsWith(`.v${contract.version}`)).toBe(true);
    },
  );

  test.each(TOPIC_SPECS.map((spec) => [spec.topic, spec] as const))(
    '%s carries something, and is kept and spread as its kind wants',
    (topic, spec) => {
      expect(allContracts().filter((contract) => contract.topic === topic).length).toBeGreaterThan(0);
      expect(spec.retentionMs).toBe(spec.kind === 'compacted' ? -1 : Math.max(30 * 86_400_000, spec.retentionMs));
      expect(spec.partitions).toBeGreaterThanOrEqual(1);
    },
  );

  test.each(TOPIC_SPECS.filter((spec) => spec.isPublic).map((spec) => [spec.topic, spec] as const))(
    '%s has a page that says its key, its personal data and every type',
    (topic, spec) => {
      const page = eventDocs().get(`${topic}.md`) ?? '';
      expect(page).toContain(`| key | ${spec.key} |`);
      expect(page).toContain(`| personal data | ${spec.personalData}`);
      for (const contract of allContracts().filter((c) => c.topic === topic)) expect(page).toContain(`\`${contract.ceType}\``);
    },
  );

  test('credentials are private: no page, no channel, no schema among the published ones', () => {
    expect(specOf(TOPICS.credentials).isPublic).toBe(false);
    expect([...eventDocs()].filter(([name, text]) => /baton\.credential|api_key/.test(name + text)).map(([name]) => name)).toEqual([]);
  });

  test('a topic whose fields lead to a person does not say that it has no personal data', () => {
    const silent = allContracts().filter(
      (contract) => specOf(contract.topic).personalData === 'none' && namesOf(contract.jsonSchema()).some((name) => PSEUDONYMS.has(name)),
    );
    expect(silent.map((contract) => contract.topic)).toEqual([]);
  });

  test('names of partners and of customers who refer are personal', () => expect(specOf(TOPICS.catalog).personalData).toBe('names'));

  test('consumer groups read topics that exist, and their dead letters are named after both', () => {
    for (const topics of Object.values(CONSUMER_GROUPS)) for (const topic of topics) expect(specOf(topic).topic).toBe(topic);
    expect(deadLetterTopic(TOPICS.clicks, 'attribution')).toBe('baton.clicks.v1.dlq.attribution');
  });
});

function namesOf(schema: JsonSchema): string[] {
  return Object.entries(schema).flatMap(([name, child]) => {
    if (typeof child !== 'object' || child === null) return [];
    const own = name === 'properties' ? Object.keys(child) : [];
    return [...own, ...namesOf(child as JsonSchema)];
  });
}
