import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stores } from '@baton/testing';
import { type Answer, CLICK_ID_KEYS, clickIdIn, type Edge, visit } from './edge.fixture';

export interface EdgeProcess {
  /** Null when it ended before it served. */
  readonly edge: Promise<Edge | null>;
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  readonly pid: number;
  kill(): Promise<void>;
}
export interface ProcessOptions {
  readonly prefix: string;
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A command that starts it: what follows are its own arguments. */
  readonly under?: readonly string[];
}

const MAIN = join(__dirname, '../../dist/main.js');

export const edgeEnv = ({ prefix, dataDir, env }: ProcessOptions): Record<string, string> => ({
  PATH: process.env['PATH'] ?? '',
  PORT: '0',
  KAFKA_BROKERS: stores().kafkaBrokers.join(','),
  TOPIC_PREFIX: prefix,
  CLICK_ID_KEYS,
  ADDRESS_HASH_KEY: 'cd'.repeat(32),
  DATA_DIR: dataDir,
  ...env,
});

/** The built service as a process of its own, which can be killed. */
export function startEdgeProcess(options: ProcessOptions): EdgeProcess {
  const [command = '', ...args] = [...(options.under ?? []), process.execPath, MAIN];
  const child = spawn(command, args, { env: edgeEnv(options), stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', () => resolve({ code: -1, signal: null }));
  });
  return {
    edge: Promise.race([
      urlOf(child).then((url) => ({ url, dataDir: options.dataDir, stop: () => stopped(child, ended) })),
      ended.then(() => null),
    ]),
    ended,
    pid: child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** `--drain` with these arguments. */
export function drainProcess(
  options: ProcessOptions,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn(process.execPath, [MAIN, '--drain', ...args], { env: edgeEnv(options), stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, output })));
}

/** Ids that visitors got: of answers that arrived whole. */
export async function idsOf(edge: Edge, count: number): Promise<string[]> {
  const answers = await Promise.allSettled(Array.from({ length: count }, () => visit(edge, '/r/garden-spring')));
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? idIn(answer.value) : []));
}
const idIn = (answer: Answer): string[] => {
  const id = answer.status === 302 ? clickIdIn(answer) : null;
  return id === null ? [] : [id];
};

function urlOf(child: ChildProcess): Promise<string> {
  child.stderr?.resume();
  return new Promise((resolve) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const started = /"url":"([^"]+)".*"msg":"started"/.exec(line);
      if (started) resolve((started[1] as string).replace('[::1]', '127.0.0.1'));
    });
  });
}

async function stopped(child: ChildProcess, ended: Promise<unknown>): Promise<void> {
  child.kill('SIGTERM');
  await ended;
}
