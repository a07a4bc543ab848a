import { request } from 'node:http';
import { connect } from 'node:net';
import { Kafka, logLevel } from 'kafkajs';
import {
  type ClickRecordedData,
  emit,
  encode,
  LinkChanged,
  type LinkData,
  type Outgoing,
  PartnerChanged,
  ProgramChanged,
  type ProgramData,
  TOPICS,
  type Topic,
} from '@baton/contracts';
import {
  BoundedProducer,
  connectKafka,
  createLog,
  type KafkaConnection,
  loadEnv,
  plannedTopics,
  TopicFollower,
  withAdmin,
} from '@baton/platform';
import { serve } from '@baton/platform/testing';
import { ownPrefix, type StoreProxy, stores } from '@baton/testing';
import { compose } from '../app.module';
import { Env } from '../env';

export const CLICK_ID_KEYS = `1:${'ab'.repeat(32)}`;
const log = createLog('click-redirect', 'silent');

export interface Edge {
  readonly url: string;
  stop(): Promise<void>;
}
export interface Answer {
  readonly status: number;
  readonly location: string | undefined;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
  readonly tookMs: number;
}

/** Topics of its own on the real broker, a catalog to publish to, and every click that arrives. */
export async function startCluster() {
  const prefix = ownPrefix();
  const kafka = connectKafka({ brokers: stores().kafkaBrokers, clientId: 'test', prefix, log });
  const topics = plannedTopics(prefix).filter(({ topic }) => [TOPICS.catalog, TOPICS.clicks].includes(topic.slice(prefix.length) as never));
  await withAdmin(kafka, (admin) =>
    admin.createTopics({ waitForLeaders: true, topics: topics.map(({ topic, partitions }) => ({ topic, numPartitions: partitions })) }),
  );
  const producer = new BoundedProducer({ kafka });
  const clicks: ClickRecordedData[] = [];
  const reader = new TopicFollower({
    kafka,
    topic: TOPICS.clicks,
    group: 'test',
    apply: (events) => clicks.push(...events.map((e) => e.data as ClickRecordedData)),
    log,
    onDead: () => undefined,
  });
  await reader.start();
  let catalogVersion = 0;
  const publish = async (...changes: Outgoing[]): Promise<number> => {
    for (const { contract, data } of changes) {
      const numbered = { ...data, catalogVersion: ++catalogVersion };
      await producer.send([{ topic: contract.topic, ...encode({ contract, data: numbered }) }]);
    }
    return catalogVersion;
  };
  return {
    kafka,
    prefix,
    clicks,
    publish,
    /** Messages that are in a topic for certain, whether or not anybody has read them. */
    countOf: (topic: Topic) =>
      withAdmin(kafka, async (admin) => (await admin.fetchTopicOffsets(prefix + topic)).reduce((sum, { high }) => sum + Number(high), 0)),
    close: async () => {
      await reader.stop();
      await producer.close();
      await withAdmin(kafka, (admin) => admin.deleteTopics({ topics: topics.map(({ topic }) => topic) }));
    },
  };
}
export type Cluster = Awaited<ReturnType<typeof startCluster>>;

/** The service as it runs, in this process. Its way to Kafka may lead through a proxy, whatever address the broker names. */
export function startEdge(
  prefix: string,
  { proxy, brokers = stores().kafkaBrokers.join(','), ...extra }: { proxy?: StoreProxy; brokers?: string; [key: string]: unknown } = {},
): Promise<Edge> {
  const env = loadEnv(Env, {
    PORT: '0',
    KAFKA_BROKERS: brokers,
    TOPIC_PREFIX: prefix,
    CLICK_ID_KEYS,
    ADDRESS_HASH_KEY: 'cd'.repeat(32),
    ...(extra as Record<string, string>),
  });
  const context = { service: 'click-redirect', env, log, fatal: (reason: string) => fatal(reason) };
  return serve(compose(context, proxy && through(proxy, prefix)), log);
}

function fatal(reason: string): never {
  throw new Error(`fatal: ${reason}`);
}

const through = (proxy: StoreProxy, prefix: string): KafkaConnection => ({
  client: new Kafka({
    brokers: stores().kafkaBrokers,
    clientId: 'click-redirect',
    connectionTimeout: 1_000,
    requestTimeout: 3_000,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 100, maxRetryTime: 1_000, retries: 3 },
    logLevel: logLevel.NOTHING,
    socketFactory: ({ onConnect }) => connect({ port: Number(new URL(proxy.url).port), host: '127.0.0.1' }, onConnect),
  }),
  prefix,
  log,
});

export const link = (change: Partial<LinkData> = {}) => emit(LinkChanged, { ...LinkChanged.sample, ...change });
export const program = (change: Partial<ProgramData> = {}) => emit(ProgramChanged, { ...ProgramChanged.sample, ...change });
export const partner = () => emit(PartnerChanged, PartnerChanged.sample);

const BROWSER = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';

/** A raw request: the path goes out byte for byte, and no redirect is followed. */
export function visit(
  edge: Edge,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const startedMs = performance.now();
  const { hostname, port } = new URL(edge.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { 'user-agent': BROWSER, ...headers }, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          location: response.headers.location,
          headers: response.headers,
          body,
          tookMs: performance.now() - startedMs,
        }),
      );
    });
    sent.on('error', reject).end();
  });
}

export const clickIdIn = (answer: Answer): string | null => new URL(answer.location ?? '').searchParams.get('click_id');
