import { eventually } from '@baton/testing';
import { BoundedProducer, createLog } from '@baton/platform';
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
} from '../specs/edge.fixture';
import type { Counted } from '../worker.port';
import { CountExchange } from './count-exchange';

const TENANT = '11111111-1111-4111-8111-111111111111';
const log = createLog('click-redirect', 'silent');

describe('clicks of a link with a cap', () => {
  let cluster: Cluster;
  const producers: BoundedProducer[] = [];
  const exchanges: CountExchange[] = [];
  const exchange = async (replicaId: string): Promise<{ exchange: CountExchange; heard: Map<number, number>; told: Counted[] }> => {
    const [heard, told] = [new Map<number, number>(), [] as Counted[]];
    const producer = new BoundedProducer({ kafka: cluster.kafka });
    producers.push(producer);
    const onTotals = (totals: readonly Counted[]): void => {
      for (const total of totals) {
        heard.set(total.linkNumber, total.count);
        told.push(total);
      }
    };
    const made = new CountExchange({ kafka: cluster.kafka, producer, replicaId, log, now: () => Date.now(), onTotals });
    exchanges.push(made);
    await made.start();
    return { exchange: made, heard, told };
  };
  const count = (linkNumber: number, of: number): Counted[] => [{ tenantId: TENANT, linkNumber, count: of }];

  beforeAll(async () => {
    cluster = await startCluster();
  }, 60_000);
  afterAll(async () => {
    await Promise.all(exchanges.map((one) => one.stop()));
    await Promise.all(producers.map((producer) => producer.close()));
    await cluster?.close();
  }, 60_000);

  it('each replica learns what all others counted, never its own, also one that comes later', async () => {
    const [a, b] = await Promise.all([exchange('edge-a'), exchange('edge-b')]);
    a.exchange.report([...count(1, 5), ...count(2, 1)]);
    b.exchange.report(count(1, 7));
    await eventually(() => a.heard.get(1) === 7 && b.heard.get(1) === 5 && b.heard.get(2) === 1, 20_000);
    expect(a.heard.has(2)).toBe(false);
    a.exchange.report(count(1, 9));
    await eventually(() => b.heard.get(1) === 9, 20_000);

    const late = await exchange('edge-c');
    await eventually(() => late.heard.get(1) === 16 && late.heard.get(2) === 1, 20_000);
    // Counts only grow: what is told is never less than before.
    const told = late.told.filter(({ linkNumber }) => linkNumber === 1).map((total) => total.count);
    expect(told).toEqual([...told].sort((x, y) => x - y));
  }, 60_000);

  it('the last counts before a stop are published', async () => {
    const a = await exchange('edge-d');
    a.exchange.report(count(3, 1));
    const watching = await exchange('edge-e');
    await eventually(() => watching.heard.get(3) === 1, 20_000);
    a.exchange.report(count(3, 4));
    await a.exchange.stop();
    await eventually(() => watching.heard.get(3) === 4, 20_000);
  }, 60_000);

  it('two replicas share one cap, and a third that starts later knows that it is reached', async () => {
    const edges: Edge[] = [];
    try {
      const capped = link({
        id: '44444444-4444-4444-8444-444444444477',
        number: 77,
        slug: 'capped',
        clickCap: 20,
        fallbackUrl: 'https://shop.example/over',
      });
      await cluster.publish(program(), partner(), capped);
      edges.push(...(await Promise.all([startEdge(cluster.prefix), startEdge(cluster.prefix)])));
      const follow = (edge: Edge): Promise<Answer> => visit(edge, '/r/capped');
      const isCounted = (answer: Answer): boolean => answer.status === 302 && clickIdIn(answer) !== null;
      const isOver = (answer: Answer): boolean => answer.location === 'https://shop.example/over';
      for (const edge of edges) await eventually(async () => (await visit(edge, '/r/capped', { method: 'HEAD' })).status === 302, 30_000);
      // Bots, prefetches and HEAD do not count.
      await visit(edges[0] as Edge, '/r/capped', { headers: { 'user-agent': 'Twitterbot/1.0' } });
      await visit(edges[0] as Edge, '/r/capped', { headers: { 'sec-purpose': 'prefetch' } });

      // Twelve here are fewer than the cap; the other's ten, and no more than it takes to hear of them, fill it.
      for (let i = 0; i < 12; i++) expect(isCounted(await follow(edges[0] as Edge))).toBe(true);
      let counted = 12;
      await eventually(
        async () => {
          const answer = await follow(edges[1] as Edge);
          if (isCounted(answer)) counted += 1;
          return isOver(answer);
        },
        30_000,
        300,
      );
      expect(counted).toBe(20);
      await eventually(async () => isOver(await follow(edges[0] as Edge)), 30_000);
      edges.push(await startEdge(cluster.prefix));
      await eventually(async () => isOver(await follow(edges[2] as Edge)), 30_000);
    } finally {
      await Promise.all(edges.map((edge) => edge.stop()));
    }
  }, 120_000);
});
