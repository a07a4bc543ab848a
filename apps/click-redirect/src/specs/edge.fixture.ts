import { request } from 'node:http';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
import { BoundedProducer, connectKafka, createLog, loadEnv, plannedTopics, TopicFollower, withAdmin } from '@baton/platform';
import { serve } from '@baton/platform/testing';
import { ownPrefix, type StoreProxy, stores } from '@baton/testing';
import { compose } from '../app.module';
import { Env } from '../env';

export const CLICK_ID_KEYS = `1:${'ab'.repeat(32)}`;
const log = createLog('click-redirect', 'silent');

export interface Edge {
  readonly url: string;
  readonly dataDir: string;
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
  const topics = plannedTopics(prefix).filter(({ topic }) =>
    [TOPICS.catalog, TOPICS.clicks, TOPICS.touches, TOPICS.clickCounts].includes(topic.slice(prefix.length) as never),
  );
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

/** The service as it runs, in this process; its worker is the compiled one. Its way to Kafka may lead through a proxy. */
export async function startEdge(
  prefix: string,
  { proxy, brokers = stores().kafkaBrokers.join(','), dataDir, ...extra }: EdgeOptions = {},
): Promise<Edge> {
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'baton-edge-')));
  const env = loadEnv(Env, {
    PORT: '0',
    KAFKA_BROKERS: brokers,
    TOPIC_PREFIX: prefix,
    CLICK_ID_KEYS,
    ADDRESS_HASH_KEY: 'cd'.repeat(32),
    DATA_DIR: folder,
    LOG_LEVEL: 'silent',
    ...(proxy ? { KAFKA_VIA: new URL(proxy.url).host } : {}),
    ...extra,
  });
  const served = await serve(await compose({ service: 'click-redirect', env, log, fatal }), log);
  return {
    ...served,
    dataDir: folder,
    stop: async () => {
      await served.stop();
      if (dataDir === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
export interface EdgeOptions {
  readonly proxy?: StoreProxy;
  readonly brokers?: string;
  /** Kept when the edge stops. */
  readonly dataDir?: string;
  readonly [name: string]: unknown;
}

function fatal(reason: string): never {
  throw new Error(`fatal: ${reason}`);
}

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
