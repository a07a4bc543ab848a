import { parseClickIdKeys, TOPICS } from '@baton/contracts';
import {
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  gauge,
  type KafkaConnection,
  type Part,
  TopicFollower,
} from '@baton/platform';
import { MemoryCatalogStore } from './catalog.store';
import { KafkaClickStore } from './click.store';
import { parseNetworks } from './domain/address';
import type { Env } from './env';
import { RedirectController } from './redirect.controller';
import { KeyedSeal } from './seal';

/** Clicks that may wait for Kafka at once: about 10 MB, and more than arrive within the deadline. Beyond it visitors are sent on without an id. */
const CLICKS_WAITING_MAX = 10_000;

const connect = ({ env, service, log }: Context<Env>): KafkaConnection =>
  connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log });

/** The composition root. `kafka` is given by tests alone. */
export function compose(context: Context<Env>, kafka: KafkaConnection = connect(context)): Composition {
  const { env, log, fatal } = context;
  const catalog = new MemoryCatalogStore();
  const follower = new TopicFollower({
    kafka,
    topic: TOPICS.catalog,
    group: 'click-redirect',
    apply: (events, tombstones) => catalog.apply(events, tombstones),
    log,
    onDead: fatal,
  });
  const producer = new BoundedProducer({ kafka, deadlineMs: env.CLICK_ACK_MS, messagesMax: CLICKS_WAITING_MAX });
  const redirect = new RedirectController({
    catalog,
    isLoaded: () => follower.unready() === undefined,
    clicks: new KafkaClickStore(producer, env.CLICK_ACK_MS),
    seal: new KeyedSeal(parseClickIdKeys(env.CLICK_ID_KEYS), Buffer.from(env.ADDRESS_HASH_KEY, 'hex')),
    trustedProxies: parseNetworks(env.TRUSTED_PROXIES),
    now: () => Date.now(),
    log,
  });
  const stalenessSeconds = (): number => follower.stalenessMs() / 1000;
  gauge('baton_catalog_version', 'The highest catalog version that this process has read', [], function () {
    this.set(catalog.version);
  });
  gauge(
    'baton_catalog_staleness_seconds',
    'Since the broker last confirmed that there is nothing newer; +Inf before the first time',
    [],
    function () {
      this.set(stalenessSeconds());
    },
  );
  gauge('baton_catalog_links', 'Links that this process knows', [], function () {
    this.set(catalog.linkCount);
  });
  const producing: Part = { name: 'producer', stop: () => producer.close() };
  return {
    parts: [producing, follower],
    routes: (http) => redirect.routes(http),
    status: () => ({
      catalog_version: catalog.version,
      catalog_staleness_seconds: Number.isFinite(stalenessSeconds()) ? stalenessSeconds() : null,
      links: catalog.linkCount,
    }),
  };
}
