import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@baton/testing';
import { clickIdIn, type Cluster, link, partner, program, startCluster, visit } from '../specs/edge.fixture';
import { type EdgeProcess, startEdgeProcess } from '../specs/edge-process.fixture';

const TRACED = ['-f', '-y', '-e', 'trace=pwrite64,fdatasync,write,writev,sendto,sendmsg', '-s', '4096'];

/** What the system was asked for, in the order in which it was done. A call that another thread interrupted counts where it ended. */
function callsOf(trace: string): { readonly thread: string; readonly call: string }[] {
  const begun = new Map<string, string>();
  return trace.split('\n').flatMap((line) => {
    const [, thread = '', text = ''] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (text.endsWith('<unfinished ...>')) {
      begun.set(thread, text.slice(0, -'<unfinished ...>'.length));
      return [];
    }
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    return text === '' ? [] : [{ thread, call: rest === undefined ? text : `${begun.get(thread) ?? ''}${rest}` }];
  });
}

// strace is Linux's; on Linux the test fails where it does not run.
(process.platform === 'linux' ? describe : describe.skip)('seen from the operating system', () => {
  let cluster: Cluster;
  let dataDir: string;
  let running: EdgeProcess | undefined;

  beforeAll(async () => {
    if (spawnSync('strace', ['true']).status !== 0)
      throw new Error(
        'strace is needed to see the order of system calls, and does not run here. Debian package: strace; a container needs --cap-add SYS_PTRACE.',
      );
    cluster = await startCluster();
    await cluster.publish(program(), partner(), link());
    dataDir = await mkdtemp(join(tmpdir(), 'baton-edge-'));
  }, 60_000);
  afterAll(async () => {
    await running?.kill();
    await cluster?.close();
    if (dataDir) await rm(dataDir, { recursive: true, force: true });
  }, 60_000);

  it('a click is written, then synced, and only then does its id leave for the visitor', async () => {
    const trace = join(dataDir, 'trace');
    // -D: the process that we start is the service itself.
    running = startEdgeProcess({ prefix: cluster.prefix, dataDir, under: ['strace', '-D', ...TRACED, '-o', trace] });
    const edge = await running.edge;
    if (!edge) throw new Error('it ended before it served');
    const ids = await eventually(async () => {
      const answers = [await visit(edge, '/r/garden-spring'), await visit(edge, '/r/garden-spring')];
      return answers.map((answer) => clickIdIn(answer) as string);
    }, 60_000);
    await edge.stop();
    const calls = callsOf(await eventually(() => readFile(trace, 'utf8')));
    for (const id of ids) {
      const written = calls.findIndex(({ call }) => /^pwrite64\(\d+<[^>]*\.seg>/.test(call) && call.includes(id));
      const answered = calls.findIndex(
        ({ call }) => /^(write|writev|sendto|sendmsg)\(/.test(call) && call.includes('302') && call.includes(`click_id=${id}`),
      );
      const file = /<([^>]*)>/.exec(calls[written]?.call ?? '')?.[1];
      const synced = calls.findIndex(
        ({ call }, at) => at > written && call.startsWith('fdatasync(') && call.includes(`<${file}>`) && / = 0$/.test(call),
      );
      expect([written >= 0, synced > written, answered > synced]).toEqual([true, true, true]);
    }
  }, 120_000);
});
