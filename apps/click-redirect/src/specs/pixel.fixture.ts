import { request } from 'node:http';
import { encode, type Outgoing, parseClickIdKeys, TOPICS, type TouchRecordedData } from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, plannedTopics, TopicFollower, withAdmin } from '@baton/platform';
import { serve } from '@baton/platform/testing';
import { ownPrefix, stores } from '@baton/testing';
import { parseAddress } from '../domain/address';
import { readAgent } from '../domain/visitor';
import { FilePlaceStore } from '../place.store';
import { KeyedSeal } from '../seal';
import { TouchController, type TouchFacts } from '../touch.controller';
import type { ProgramTerms, TouchCatalog } from '../touch.subject';

export const KEYS = parseClickIdKeys(`1:${'ab'.repeat(32)}`);
export const TENANT = '11111111-1111-4111-8111-111111111111';
export const PROGRAM = '22222222-2222-4222-8222-222222222222';
export const PAUSED = '22222222-2222-4222-8222-222222222223';
export const PARTNER = '33333333-3333-4333-8333-333333333333';
export const LINK = '44444444-4444-4444-8444-444444444444';
const log = createLog('test', 'silent');

const TERMS: ProgramTerms = { state: 'active', hosts: ['shop.example', '*.shop.example'], allowHttp: false, landingParam: 'ref_id' };
const PROGRAMS: Readonly<Record<string, ProgramTerms>> = { [PROGRAM]: TERMS, [PAUSED]: { ...TERMS, state: 'disabled' } };

/** Link 1 of one program, link 2 of a program that is not known yet. */
export const CATALOG: TouchCatalog = {
  isLoaded: true,
  linkByNumber: (number) =>
    number > 2
      ? undefined
      : { link: { tenantId: TENANT, id: LINK, programId: PROGRAM, partnerId: PARTNER }, terms: number === 1 ? TERMS : undefined },
  program: (tenantId, programId) => (tenantId === TENANT ? PROGRAMS[programId] : undefined),
  domain: (host) => (host === 'go.shop.example' ? { tenantId: TENANT, state: 'active' } : undefined),
};

/** Touches on the real broker, under topics of their own. */
export async function startTouches() {
  const prefix = ownPrefix();
  const kafka = connectKafka({ brokers: stores().kafkaBrokers, clientId: 'test', prefix, log });
  const topics = plannedTopics(prefix).filter(({ topic }) => topic === prefix + TOPICS.touches);
  await withAdmin(kafka, (admin) =>
    admin.createTopics({ waitForLeaders: true, topics: topics.map(({ topic, partitions }) => ({ topic, numPartitions: partitions })) }),
  );
  const producer = new BoundedProducer({ kafka });
  const touches: TouchRecordedData[] = [];
  const reader = new TopicFollower({
    kafka,
    topic: TOPICS.touches,
    group: 'test',
    apply: (events) => touches.push(...events.map((e) => e.data as TouchRecordedData)),
    log,
    onDead: () => undefined,
  });
  await reader.start();
  return {
    touches,
    facts: factsOf(producer),
    count: () =>
      withAdmin(kafka, async (admin) =>
        (await admin.fetchTopicOffsets(prefix + TOPICS.touches)).reduce((sum, { high }) => sum + Number(high), 0),
      ),
    close: async () => {
      await reader.stop();
      await producer.close();
      await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: topics.map(({ topic }) => topic) }));
    },
  };
}

/** A broker that nobody is. */
export function factsNowhere(): { readonly facts: TouchFacts; close(): Promise<void> } {
  const producer = new BoundedProducer({
    kafka: connectKafka({ brokers: ['127.0.0.1:1'], clientId: 'test', prefix: '', log }),
    deadlineMs: 100,
  });
  return { facts: factsOf(producer), close: () => producer.close() };
}

const factsOf = (producer: BoundedProducer): TouchFacts => ({
  record: ({ contract, data }: Outgoing, traceparent) =>
    producer.send([{ topic: contract.topic, ...encode({ contract, data }, traceparent) }]).then(
      () => ({ kind: 'recorded' as const }),
      () => ({ kind: 'shed' as const, reason: 'connection' }),
    ),
});

const places = new FilePlaceStore();

/** The controller as it runs, with the visitor's address in a header of the test's own. */
export function startPixel(facts: TouchFacts, catalog = CATALOG) {
  const seal = new KeyedSeal(KEYS, Buffer.alloc(32, 1));
  let visitors = 0;
  const controller = new TouchController({
    ...{ catalog, facts, places, seal, log },
    visitors: {
      agentOf: (userAgent) => ({ agent: readAgent(userAgent), hash: userAgent === undefined ? null : seal.userAgentHash(userAgent) }),
      addressOf: ({ headers }) => parseAddress(String(headers['x-test-address'] ?? '8.8.8.8')),
    },
    clickIdKeys: KEYS.keys,
    newVisitorId: () => `visitor${String(++visitors).padStart(15, '0')}`,
    now: () => Date.parse('2026-01-31T12:00:02.000Z'),
  });
  return serve({ parts: [], routes: (http) => controller.routes(http) }, log);
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
}
export interface Answer {
  readonly status: number | undefined;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: Buffer;
}

export function ask(url: string, path: string, { method = 'GET', headers = {}, body }: Asked = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { path, method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    });
    sent.on('error', reject).end(body);
  });
}
