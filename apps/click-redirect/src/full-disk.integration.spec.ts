import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, proxyTo, type StoreProxy, stores } from '@baton/testing';
import { type Answer, clickIdIn, type Cluster, type Edge, link, partner, program, startCluster, visit } from './specs/edge.fixture';
import { type EdgeProcess, startEdgeProcess } from './specs/edge-process.fixture';

const isRoot = process.getuid?.() === 0;
/** A disk of one megabyte that only the service sees, and that goes with it. */
const SMALL_DISK = [
  'unshare',
  isRoot ? '-m' : '-rm',
  'sh',
  '-c',
  'mkdir -p "$SPOOL_DIR" && mount -t tmpfs -o size=1m none "$SPOOL_DIR" && exec "$@"',
  'sh',
];

// Mounts in a namespace of one's own are Linux's.
(process.platform === 'linux' ? describe : describe.skip)('a full disk', () => {
  let cluster: Cluster;
  let proxy: StoreProxy;
  let dataDir: string;
  let running: EdgeProcess | undefined;
  let edge: Edge;

  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.publish(program(), partner(), link());
    dataDir = await mkdtemp(join(tmpdir(), 'baton-edge-'));
    const [host = '', port = ''] = (stores().kafkaBrokers[0] ?? '').split(':');
    proxy = await proxyTo(`tcp://${host}:${port}`);
    const env = { KAFKA_VIA: new URL(proxy.url).host, SPOOL_DIR: join(dataDir, 'small') };
    running = startEdgeProcess({ prefix: cluster.prefix, dataDir, env, under: SMALL_DISK });
    const started = await running.edge;
    if (!started)
      throw new Error(
        'no disk could be mounted for this test: it needs root, or user namespaces (sysctl kernel.unprivileged_userns_clone)',
      );
    edge = started;
  }, 60_000);
  afterAll(async () => {
    await running?.kill();
    await proxy?.close();
    await cluster?.close();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('sends visitors on without ids, counts each of them, and loses no id that it gave', async () => {
    const answers: Answer[] = [];
    const isGiven = (answer: Answer): boolean => answer.status === 302 && clickIdIn(answer) !== null;
    const crowd = async (count: number): Promise<Answer[]> => {
      const more = await Promise.all(Array.from({ length: count }, () => visit(edge, '/r/garden-spring')));
      answers.push(...more);
      return more;
    };
    await eventually(async () => (await visit(edge, '/r/garden-spring', { method: 'HEAD' })).status === 302, 30_000);

    // Without Kafka it fills up.
    proxy.cut();
    await eventually(async () => (await crowd(100)).every((answer) => !isGiven(answer)), 60_000, 1);
    expect(answers.every(({ status }) => status === 302)).toBe(true);
    expect(answers.filter(isGiven).length).toBeGreaterThan(500);
    const metrics = (await visit(edge, '/metrics')).body;
    const shed = [...metrics.matchAll(/^baton_clicks_shed_total\{reason="\w+"[^}]*\} (\d+)$/gm)].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    );
    expect(shed).toBe(answers.filter((answer) => !isGiven(answer)).length);

    // With Kafka it empties, and ids are given again.
    proxy.heal();
    await eventually(async () => (await crowd(1)).every(isGiven), 60_000, 200);
    const given = answers.filter(isGiven).map(clickIdIn);
    await eventually(() => {
      const inTopic = new Set(cluster.clicks.map(({ clickId }) => clickId));
      return given.every((id) => inTopic.has(id as string));
    }, 30_000);
  }, 180_000);
});
