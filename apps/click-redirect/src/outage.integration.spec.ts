import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
/** A disk answers within milliseconds; the rest is what a busy machine may take. */
const QUICK_MS = 500;

describe('while Kafka is away', () => {
  let cluster: Cluster;
  let proxy: StoreProxy;
  let edge: Edge;
  let dataDir: string;
  const given: string[] = [];
  const follow = async (): Promise<Answer> => {
    const answer = await visit(edge, '/r/garden-spring');
    const id = answer.status === 302 ? clickIdIn(answer) : null;
    if (id !== null) given.push(id);
    return answer;
  };
  const isGiven = (answer: Answer): boolean => answer.status === 302 && clickIdIn(answer) !== null;
  const backlogBytes = async (): Promise<number> =>
    (JSON.parse((await visit(edge, '/readyz')).body) as { spool_backlog_bytes: number }).spool_backlog_bytes;
  const arrived = (): Promise<boolean> =>
    eventually(() => {
      const inTopic = new Set(cluster.clicks.map(({ clickId }) => clickId));
      return given.every((id) => inTopic.has(id));
    }, 30_000);
  const start = (brokers?: string): Promise<Edge> =>
    startEdge(cluster.prefix, { proxy, dataDir, ...(brokers ? { brokers } : {}), SPOOL_DRAIN_MS: '500' });

  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.publish(program(), partner(), link());
    dataDir = await mkdtemp(join(tmpdir(), 'baton-edge-'));
    const [host = '', port = ''] = (stores().kafkaBrokers[0] ?? '').split(':');
    proxy = await proxyTo(`tcp://${host}:${port}`);
    edge = await start();
    await eventually(async () => isGiven(await follow()), 30_000);
  }, 60_000);
  afterAll(async () => {
    proxy?.heal();
    await edge?.stop();
    await proxy?.close();
    await cluster?.close();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it.each(['silence', 'cut'] as const)(
    '%s: every visitor still gets an id, at once, and it arrives when Kafka is back',
    async (how) => {
      await arrived();
      const before = cluster.clicks.length;
      proxy[how]();
      const answers: Answer[] = [];
      for (let round = 0; round < 5; round++) {
        answers.push(await follow());
        answers.push(...(await Promise.all(Array.from({ length: 40 }, follow))));
      }
      expect(answers.filter((answer) => !isGiven(answer))).toEqual([]);
      expect(answers.map(({ tookMs }) => tookMs).sort((a, b) => a - b)[Math.floor(answers.length / 2)]).toBeLessThan(QUICK_MS);
      expect(await backlogBytes()).toBeGreaterThan(0);
      proxy.heal();
      await arrived();
      expect(cluster.clicks.length).toBeGreaterThanOrEqual(before + answers.length);
      await eventually(async () => (await backlogBytes()) === 0, 20_000);
    },
    120_000,
  );

  it('the links that were known go on leading somewhere, and the staleness of the catalog shows', async () => {
    proxy.silence();
    await eventually(async () => {
      const { ready, catalog_staleness_seconds: staleness } = JSON.parse((await visit(edge, '/readyz')).body) as {
        ready: boolean;
        catalog_staleness_seconds: number;
      };
      return ready && staleness > 1.5;
    });
    expect((await follow()).location).toMatch(SPRING);
    // What changes meanwhile is obeyed without a restart.
    await cluster.publish(link({ version: 2, state: 'disabled' }));
    expect((await follow()).status).toBe(302);
    proxy.heal();
    await eventually(async () => (await follow()).status === 404, 60_000);
    await cluster.publish(link({ version: 3 }));
    await eventually(async () => isGiven(await follow()), 20_000);
  }, 120_000);

  it('also after a restart, and what the former process kept arrives too', async () => {
    proxy.cut();
    const former = await Promise.all(Array.from({ length: 20 }, follow));
    await edge.stop();
    edge = await start();
    const answers = await Promise.all(Array.from({ length: 20 }, follow));
    expect([...former, ...answers].filter((answer) => !isGiven(answer))).toEqual([]);
    proxy.heal();
    await arrived();
  }, 120_000);

  it('every id that a visitor ever got is in the topic, though Kafka comes and goes', async () => {
    for (const [i, act] of [() => proxy.silence(), () => proxy.heal(), () => proxy.cut(), () => proxy.heal()].entries()) {
      const crowd = Promise.all(Array.from({ length: 40 }, follow));
      if (i % 2 === 0) await follow();
      act();
      expect((await crowd).every(isGiven)).toBe(true);
    }
    await arrived();
  }, 90_000);
});

describe('starting and stopping', () => {
  it('answers 503 with Retry-After until the catalog was read once, never a guess, and stops without Kafka', async () => {
    const edge = await startEdge('t000000_', { brokers: '127.0.0.1:1', SPOOL_DRAIN_MS: '500' });
    const answer = await visit(edge, '/r/garden-spring');
    const { code } = JSON.parse(answer.body) as { code: string };
    expect([answer.status, answer.headers['retry-after'], answer.headers['cache-control'], code]).toEqual([
      503,
      '2',
      'no-store',
      'unavailable',
    ]);
    expect(JSON.parse((await visit(edge, '/readyz')).body)).toMatchObject({
      ready: false,
      waiting: { catalog: 'the links have not been read yet' },
      catalog_staleness_seconds: null,
    });
    const startedMs = performance.now();
    await edge.stop();
    expect(performance.now() - startedMs).toBeLessThan(20_000);
  }, 60_000);

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
