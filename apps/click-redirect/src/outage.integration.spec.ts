import { TOPICS } from '@baton/contracts';
import { eventually, proxyTo, type StoreProxy, stores } from '@baton/testing';
import {
  type Answer,
  clickIdIn,
  type Cluster,
  type Edge,
  link,
  partner,
  program,
  startCluster,
  startEdge,
  visit,
} from './specs/edge.fixture';

const SPRING = 'https://shop.example/spring?utm_source=partner&utm_medium=referral&utm_campaign=spring';
const ACK_MS = 400;
/** What a busy machine may add to a deadline. */
const SLACK_MS = 400;

describe('while Kafka is away', () => {
  let cluster: Cluster;
  let proxy: StoreProxy;
  let edge: Edge;
  const shed = async (reason: string): Promise<number> =>
    Number(new RegExp(`baton_clicks_shed_total\\{reason="${reason}"\\} (\\d+)`).exec((await visit(edge, '/metrics')).body)?.[1] ?? 0);
  const follow = () => visit(edge, '/r/garden-spring');
  const withId = (answer: Answer) => clickIdIn(answer) !== null;
  const healthy = () => eventually(async () => withId(await follow()), 20_000);

  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.publish(program(), partner(), link());
    const [host = '', port = ''] = (stores().kafkaBrokers[0] ?? '').split(':');
    proxy = await proxyTo(`tcp://${host}:${port}`);
    edge = await startEdge(cluster.prefix, { proxy, CLICK_ACK_MS: String(ACK_MS) });
    await healthy();
  }, 60_000);
  afterAll(async () => {
    proxy?.heal();
    await edge?.stop();
    await proxy?.close();
    await cluster?.close();
  }, 60_000);

  it('a broker that falls silent costs a visitor the deadline once, and later ones nothing; the visitor arrives without an id, and it is counted', async () => {
    proxy.silence();
    const [timeouts, down] = [await shed('timeout'), await shed('down')];
    const first = await follow();
    expect([first.status, first.location]).toEqual([302, SPRING]);
    expect(first.tookMs).toBeGreaterThan(ACK_MS * 0.9);
    expect(first.tookMs).toBeLessThan(ACK_MS + SLACK_MS);
    expect(await shed('timeout')).toBe(timeouts + 1);

    const crowd = await Promise.all(Array.from({ length: 50 }, follow));
    expect(crowd.map((a) => a.location)).toEqual(crowd.map(() => SPRING));
    expect(crowd.filter((a) => a.tookMs > ACK_MS * 0.9)).toHaveLength(1);
    expect(await shed('down')).toBe(down + 49);

    proxy.heal();
    await healthy();
  }, 40_000);

  it('a broker that refuses connections: the same', async () => {
    proxy.cut();
    const answers: Answer[] = [];
    for (let i = 0; i < 5; i++) answers.push(await follow());
    expect(answers.map((a) => [a.status, a.location, a.tookMs < ACK_MS + SLACK_MS])).toEqual(answers.map(() => [302, SPRING, true]));
    proxy.heal();
    await healthy();
  }, 40_000);

  it('every id that a visitor ever got is in the topic', async () => {
    const answers: Answer[] = [];
    for (const [i, act] of [() => proxy.silence(), () => proxy.heal(), () => proxy.cut(), () => proxy.heal(), () => undefined].entries()) {
      const crowd = Promise.all(Array.from({ length: 40 }, follow));
      if (i % 2 === 0) await follow();
      act();
      answers.push(...(await crowd));
      if (i % 2 === 1)
        answers.push(
          (await eventually(async () => {
            const a = await follow();
            return withId(a) && a;
          }, 20_000)) as Answer,
        );
    }
    const ids = answers.map(clickIdIn).filter((id) => id !== null);
    expect(ids.length).toBeGreaterThan(1);
    await eventually(() => ids.every((id) => cluster.clicks.some((c) => c.clickId === id)), 20_000);
  }, 90_000);

  it('the links that were known go on leading somewhere, and the staleness of the catalog shows', async () => {
    proxy.silence();
    await eventually(async () => {
      const { ready, catalog_staleness_seconds: staleness } = JSON.parse((await visit(edge, '/readyz')).body) as {
        ready: boolean;
        catalog_staleness_seconds: number;
      };
      return ready && staleness > 1.5;
    });
    expect((await follow()).location).toBe(SPRING);
    proxy.heal();
    // What changed meanwhile is obeyed without a restart.
    await cluster.publish(link({ version: 2, state: 'disabled' }));
    await eventually(async () => (await follow()).status === 404, 60_000);
    await cluster.publish(link({ version: 3 }));
    await healthy();
  }, 120_000);
});

describe('starting and stopping', () => {
  it('answers 503 with Retry-After until the catalog was read once, never a guess, and stops without Kafka', async () => {
    const edge = await startEdge('t000000_', { brokers: '127.0.0.1:1' });
    const answer = await visit(edge, '/r/garden-spring');
    expect([
      answer.status,
      answer.headers['retry-after'],
      answer.headers['cache-control'],
      (JSON.parse(answer.body) as { code: string }).code,
    ]).toEqual([503, '2', 'no-store', 'unavailable']);
    expect(JSON.parse((await visit(edge, '/readyz')).body)).toMatchObject({
      ready: false,
      waiting: { [`follower ${TOPICS.catalog}`]: 'has not read the whole topic yet' },
      catalog_staleness_seconds: null,
    });
    const startedMs = performance.now();
    await edge.stop();
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  }, 40_000);

  it('a stop lets every visitor under way arrive, and every id that was given is in the topic', async () => {
    const cluster = await startCluster();
    try {
      await cluster.publish(program(), partner(), link());
      const edge = await startEdge(cluster.prefix);
      await eventually(async () => (await visit(edge, '/r/garden-spring')).status === 302, 20_000);
      const visits = Array.from({ length: 200 }, () => visit(edge, '/r/garden-spring'));
      await Promise.race(visits);
      const stopped = edge.stop();
      const answers = (await Promise.allSettled(visits)).flatMap((r) => (r.status === 'fulfilled' ? [r.value] : []));
      await stopped;
      const ids = answers.filter((a) => a.status === 302).map(clickIdIn);
      // Who was not let in any more got no answer at all, and none got half of one.
      expect(ids.length).toBeGreaterThan(1);
      await eventually(() => ids.every((id) => id !== null && cluster.clicks.some((c) => c.clickId === id)));
    } finally {
      await cluster.close();
    }
  }, 60_000);
});
