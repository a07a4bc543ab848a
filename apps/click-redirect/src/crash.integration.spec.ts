import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TOPICS } from '@baton/contracts';
import { readTopic } from '@baton/platform';
import { eventually } from '@baton/testing';
import { type Cluster, type Edge, link, partner, program, startCluster, visit } from './specs/edge.fixture';
import { drainProcess, type EdgeProcess, idsOf, startEdgeProcess } from './specs/edge-process.fixture';

describe('the service is killed, and killed again', () => {
  let cluster: Cluster;
  let dataDir: string;
  let running: EdgeProcess | undefined;
  const given = new Set<string>();
  const begin = (env: Record<string, string> = {}): EdgeProcess => (running = startEdgeProcess({ prefix: cluster.prefix, dataDir, env }));
  const segments = async (): Promise<string[]> => (await readdir(join(dataDir, 'spool'))).filter((name) => name.endsWith('.seg'));
  const serving = async (env: Record<string, string> = {}): Promise<Edge> => {
    const edge = await begin(env).edge;
    if (!edge) throw new Error('it ended before it served');
    await eventually(async () => (await visit(edge, '/r/garden-spring', { method: 'HEAD' })).status === 302, 30_000);
    return edge;
  };
  /** Each id in the topic with the bytes that it came with: several where it came with different ones. */
  const inTopic = async (): Promise<Map<string, Set<string>>> => {
    const found = new Map<string, Set<string>>();
    await readTopic({
      kafka: cluster.kafka,
      topic: TOPICS.clicks,
      each: ({ key, value, headers }) => {
        const bytes = JSON.stringify([String(value), Object.entries(headers).map(([name, text]) => [name, String(text)])]);
        found.set(String(key), (found.get(String(key)) ?? new Set()).add(bytes));
      },
    });
    return found;
  };

  beforeAll(async () => {
    cluster = await startCluster();
    await cluster.publish(program(), partner(), link());
    dataDir = await mkdtemp(join(tmpdir(), 'baton-edge-'));
  }, 60_000);
  afterEach(async () => {
    await running?.kill();
  });
  afterAll(async () => {
    await cluster?.close();
    await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it.each(['spool:writing#3', 'spool:written#3', 'spool:synced#3', 'shipper:sending#3', 'shipper:acknowledged#2', 'shipper:removed#1'])(
    'at %s',
    async (point) => {
      const { edge, ended } = begin({ CRASH_AT: point });
      let isOver = false;
      void ended.then(() => (isOver = true));
      const at = await edge;
      while (at && !isOver) for (const id of await idsOf(at, 20)) given.add(id);
      expect((await ended).signal).toBe('SIGKILL');
    },
    60_000,
  );

  it('with Kafka away, after a restart without Kafka, in which it knew its links', async () => {
    const edge = await serving({ KAFKA_BROKERS: '127.0.0.1:1' });
    const ids = await idsOf(edge, 20);
    expect(ids).toHaveLength(20);
    for (const id of ids) given.add(id);
    await running?.kill();
    expect((await segments()).length).toBeGreaterThan(0);
  }, 60_000);

  it('while it runs, --drain leaves its spool to it', async () => {
    await serving({ KAFKA_BROKERS: '127.0.0.1:1' });
    const { code, output } = await drainProcess({ prefix: cluster.prefix, dataDir }, [dataDir]);
    expect([code, output]).toEqual([0, expect.stringContaining('in use by a running process') as string]);
  }, 60_000);

  it('--drain without Kafka says what is left, and that with 1', async () => {
    const before = await segments();
    const { code, output } = await drainProcess(
      { prefix: cluster.prefix, dataDir, env: { KAFKA_BROKERS: '127.0.0.1:1', LOG_LEVEL: 'silent' } },
      [dataDir, '--seconds', '1'],
    );
    expect([code, output]).toEqual([1, expect.stringContaining('Kafka did not take them in time; run it again.') as string]);
    expect(await segments()).toEqual(before);
  }, 60_000);

  it('--drain sends what the dead left, and afterwards every id that a visitor ever got is in the topic, with the same bytes each time', async () => {
    const { code, output } = await drainProcess({ prefix: cluster.prefix, dataDir }, [dataDir]);
    expect([code, output]).toEqual([0, expect.stringMatching(/[1-9]\d* facts sent, none left/) as string]);
    expect(await segments()).toEqual([]);
    expect(given.size).toBeGreaterThan(50);
    const found = await inTopic();
    expect([...given].filter((id) => !found.has(id))).toEqual([]);
    expect([...found.values()].filter((versions) => versions.size > 1)).toEqual([]);
    const again = await drainProcess({ prefix: cluster.prefix, dataDir }, [dataDir]);
    expect([again.code, again.output]).toEqual([0, expect.stringContaining(': empty') as string]);
  }, 60_000);

  it('--drain explains itself, and refuses what it does not know', async () => {
    const of = (...args: string[]): ReturnType<typeof drainProcess> => drainProcess({ prefix: cluster.prefix, dataDir }, args);
    const [help, option, seconds, nothing] = await Promise.all([
      of('--help'),
      of('--all'),
      of('--seconds', 'soon'),
      of(join(dataDir, 'nowhere')),
    ]);
    expect([help.code, option.code, seconds.code, nothing.code]).toEqual([0, 2, 2, 0]);
    expect(help.output).toContain('click-redirect --drain [folder');
    expect(option.output).toContain('--all is not an option of --drain');
    expect(seconds.output).toContain('--seconds needs a number above 0, not "soon"');
    expect(nothing.output).toContain('There is no spool in');
  }, 60_000);

  it('a clean stop sends everything and leaves nothing to be sent again', async () => {
    const edge = await serving();
    const ids = await idsOf(edge, 50);
    await edge.stop();
    expect([ids.length, await segments()]).toEqual([50, []]);
    const found = await inTopic();
    expect(ids.filter((id) => !found.has(id))).toEqual([]);
  }, 60_000);
});
