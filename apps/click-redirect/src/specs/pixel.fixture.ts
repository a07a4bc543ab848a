import { request } from 'node:http';
import { encode, mintClickId, type Outgoing, parseAddress, parseClickIdKeys, TOPICS, type TouchRecordedData } from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, plannedTopics, TopicFollower, withAdmin } from '@baton/platform';
import { serve } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
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
export const NAMED = `tenant_id=${TENANT}&program_id=${PROGRAM}`;
export const OWN = { origin: 'https://shop.example', referer: 'https://shop.example/spring' };
export const FORM = 'application/x-www-form-urlencoded;charset=UTF-8';
export const clickId = (linkNumber = 1, tenantId = TENANT, nonce = 7) =>
  mintClickId(KEYS.keys, tenantId, { keyId: 1, linkNumber, occurredAtMs: 1_769_860_000_000, nonce });
export const CLICK = clickId();
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
    /** Each test names its visitor, so that it finds its own touch. */
    touchOf: (visitorId: string) =>
      eventually(() => {
        const touch = touches.find((one) => one.visitorId === visitorId);
        if (!touch) throw new Error(`no touch of ${visitorId} in the topic`);
        return touch;
      }),
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

/** A log that takes nothing more. */
export async function closedFacts(): Promise<TouchFacts> {
  const producer = new BoundedProducer({ kafka: connectKafka({ brokers: stores().kafkaBrokers, clientId: 'test', prefix: '', log }) });
  await producer.close();
  return factsOf(producer);
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

/** The two doors of a pixel, as browsers use them. */
export const doorsOf = (url: () => string) => ({
  get: (query: string, headers: Record<string, string> = {}) => ask(url(), `/t.gif?${query}`, { headers }),
  post: (
    body: string | Buffer,
    type = 'text/plain;charset=UTF-8',
    { query, headers }: { query?: string; headers?: Record<string, string> } = {},
  ) => ask(url(), query === undefined ? '/t' : `/t?${query}`, { method: 'POST', body, headers: { 'content-type': type, ...headers } }),
});

export const reasonOf = ({ status, body }: Answer) => {
  const { code, reason } = JSON.parse(body.toString()) as { code: string; reason: string };
  return [status, code, reason];
};
