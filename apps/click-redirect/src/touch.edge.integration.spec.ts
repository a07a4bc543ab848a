import { DomainChanged, emit, LinkChanged, TOPICS, type TouchRecordedData } from '@baton/contracts';
import { createLog, TopicFollower } from '@baton/platform';
import { eventually, proxyTo, type StoreProxy, stores } from '@baton/testing';
import { clickIdIn, type Cluster, type Edge, link, partner, program, startCluster, startEdge, visit } from './specs/edge.fixture';
import { doorsOf, NAMED, OWN, reasonOf } from './specs/pixel.fixture';

const DOMAIN = 'go.shop.example';
const FIRST_PARTY = { host: DOMAIN };

describe('a landing page’s pixel at the edge as it runs', () => {
  const touches: TouchRecordedData[] = [];
  let cluster: Cluster;
  let proxy: StoreProxy;
  let edge: Edge;
  let reader: TopicFollower;
  const { get, post } = doorsOf(() => edge.url);
  const publish = async (...changes: Parameters<Cluster['publish']>) => {
    const version = await cluster.publish(...changes);
    await eventually(async () => {
      const { catalog_version: seen } = JSON.parse((await visit(edge, '/readyz')).body) as { catalog_version: number };
      return seen >= version;
    }, 20_000);
  };

  beforeAll(async () => {
    cluster = await startCluster();
    const apply = (events: readonly { readonly data: object }[]) => touches.push(...events.map(({ data }) => data as TouchRecordedData));
    const log = createLog('test', 'silent');
    reader = new TopicFollower({ kafka: cluster.kafka, topic: TOPICS.touches, group: 'test', apply, log, onDead: () => undefined });
    await reader.start();
    const [host = '', port = ''] = (stores().kafkaBrokers[0] ?? '').split(':');
    proxy = await proxyTo(`tcp://${host}:${port}`);
    edge = await startEdge(cluster.prefix, { proxy, TRUSTED_PROXIES: '127.0.0.0/8' });
    await publish(program(), partner(), link(), emit(DomainChanged, DomainChanged.sample));
  }, 60_000);
  afterAll(async () => {
    proxy?.heal();
    await edge?.stop();
    await proxy?.close();
    await reader?.stop();
    await cluster?.close();
  }, 60_000);

  it('a visitor who followed a link is the same visitor on the landing page, of that click', async () => {
    const redirect = await visit(edge, '/garden-spring', { headers: FIRST_PARTY });
    const [, cookie, visitorId] = /^(baton_vid=([^;]+));/.exec(String(redirect.headers['set-cookie'])) ?? [];
    expect(visitorId).toMatch(/^[A-Za-z0-9_-]{22}$/);
    const landed = await post(
      new URLSearchParams({ url: redirect.location ?? '', ref: 'https://blog.example/post' }).toString(),
      undefined,
      {
        headers: { ...OWN, ...FIRST_PARTY, cookie: cookie as string, 'x-forwarded-for': '8.8.8.8' },
      },
    );
    expect([landed.status, landed.headers['set-cookie']]).toEqual([204, undefined]);
    const touch = await eventually(() => touches.find((one) => one.visitorId === visitorId) ?? never(visitorId), 20_000);
    const { id: linkId, programId, partnerId } = LinkChanged.sample;
    expect(touch).toMatchObject({
      ...{ clickId: clickIdIn(redirect), linkId, programId, partnerId },
      ...{ channelType: 'affiliate', referrerHost: 'blog.example', page: redirect.location, network: '8.8.8.0/24', country: 'US' },
      utm: { utm_source: 'partner', utm_medium: 'referral', utm_campaign: 'spring' },
    });
    await eventually(() => cluster.clicks.some((click) => click.clickId === touch.clickId && click.visitorId === visitorId), 20_000);
  }, 60_000);

  it('while Kafka is away touches are kept, and arrive when it is back', async () => {
    proxy.cut();
    const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => get(`${NAMED}&visitor_id=away-${i}`, OWN)));
    expect((await post(`${NAMED}&visitor_id=away-20`, undefined, { headers: OWN })).status).toBe(204);
    expect(answers.map(({ status, body }) => [status, body.length])).toEqual(answers.map(() => [200, 43]));
    proxy.heal();
    const away = () => new Set(touches.map(({ visitorId }) => visitorId).filter((one) => one?.startsWith('away-')));
    await eventually(() => away().size === 21, 30_000);
  }, 60_000);

  it('a host that the program gives up may speak for it no longer', async () => {
    await publish(program({ version: 2, validFrom: '2026-02-01T00:00:00.000Z', destinationHosts: ['new.example'] }));
    expect(reasonOf(await post(NAMED, undefined, { headers: OWN }))).toEqual([422, 'destination_refused', 'host_not_allowed']);
    expect((await post(NAMED, undefined, { headers: { origin: 'https://new.example' } })).status).toBe(204);
    await publish(program({ version: 3, validFrom: '2026-02-02T00:00:00.000Z', state: 'disabled' }));
    expect(reasonOf(await post(NAMED, undefined, { headers: OWN }))).toEqual([422, 'program_paused', 'program_paused']);
  }, 60_000);
});

const never = (visitorId: string | undefined): never => {
  throw new Error(`no touch of ${visitorId} in the topic`);
};
