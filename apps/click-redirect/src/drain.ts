import { existsSync, readdirSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BoundedProducer, connectKafka, createLog, KafkaEnv, loadEnv, type Log, type Producer } from '@baton/platform';
import { IsOptional, IsString } from 'class-validator';
import { FolderDisk } from './spool/disk';
import { FolderInUse, lockFolder } from './spool/lock';
import { segmentBases, segmentName } from './spool/segment';
import { Shipper } from './spool/shipper';
import { SpoolTide } from './spool/tide';

export const DRAIN_HELP = `click-redirect --drain [folder …] [--seconds N]

Sends what lies in spools that no process owns any more to Kafka, deletes it there once it is acknowledged, and ends.

  folder       a spool, a replica's DATA_DIR, or a folder that holds several of either; else SPOOL_DIR or DATA_DIR of the environment
  --seconds N  give up after so long (default 120)

Exit: 0 everything is in Kafka; 1 something is left, which is said; 2 wrong use. A spool whose process is alive is left to it.

  KAFKA_BROKERS=broker:9092 node dist/main.js --drain /var/lib/baton/click-redirect-3`;

class DrainEnv extends KafkaEnv {
  // Nothing is served.
  override PORT = 0;
  @IsOptional() @IsString() DATA_DIR?: string;
  @IsOptional() @IsString() SPOOL_DIR?: string;
  @IsOptional() @IsString() KAFKA_VIA?: string;
}

type Outcome = 'sent' | 'empty' | 'in use' | 'left';

/** The exit code. */
export async function drain(args: readonly string[], source: NodeJS.ProcessEnv): Promise<number> {
  if (args.includes('--help')) {
    console.log(DRAIN_HELP);
    return 0;
  }
  const asked = askedOf(args);
  if (typeof asked === 'string') {
    console.error(`${asked}\n\n${DRAIN_HELP}`);
    return 2;
  }
  const env = loadEnv(DrainEnv, source);
  const roots = asked.folders.length > 0 ? asked.folders : [env.SPOOL_DIR ?? env.DATA_DIR ?? 'data/click-redirect'];
  const spools = roots.flatMap(spoolsUnder);
  if (spools.length === 0) {
    console.log(`There is no spool in ${roots.map((root) => resolve(root)).join(', ')}: nothing to send.`);
    return 0;
  }
  const log = createLog('click-redirect', env.LOG_LEVEL);
  const kafka = connectKafka({
    brokers: env.KAFKA_BROKERS.split(','),
    clientId: 'click-redirect-drain',
    prefix: env.TOPIC_PREFIX,
    log,
    via: env.KAFKA_VIA,
    security: env,
  });
  const producer = new BoundedProducer({ kafka });
  const endMs = Date.now() + asked.seconds * 1_000;
  let left = 0;
  for (const folder of spools) if ((await drainOne({ folder, producer, log, endMs })) === 'left') left += 1;
  await producer.close();
  return left === 0 ? 0 : 1;
}

interface One {
  readonly folder: string;
  readonly producer: Producer;
  readonly log: Log;
  readonly endMs: number;
}

async function drainOne({ folder, producer, log, endMs }: One): Promise<Outcome> {
  const lock = lockOf(folder);
  if (!lock) {
    console.log(`${folder}: in use by a running process, which sends it itself`);
    return 'in use';
  }
  try {
    const disk = new FolderDisk(folder);
    const bases = segmentBases(await disk.list());
    const last = bases.at(-1);
    if (last === undefined) {
      console.log(`${folder}: empty`);
      return 'empty';
    }
    const end = last + Math.max(1, await disk.sizeOf(segmentName(last)));
    const tide = new SpoolTide();
    tide.start(bases[0] as number, end);
    const shipper = new Shipper({ disk, tide, producer, log });
    await shipper.start();
    const progress = setInterval(
      () => console.log(`${folder}: ${shipper.counts.shipped} facts sent, ${end - tide.shipped} bytes to go`),
      2_000,
    );
    const isDone = await shipper.drained(Math.max(0, endMs - Date.now()));
    clearInterval(progress);
    await shipper.stop();
    const { shipped, damaged } = shipper.counts;
    console.log(
      isDone
        ? `${folder}: ${shipped} facts sent, none left${damaged > 0 ? `; ${damaged} records could not be read, their segments are kept as *.damaged` : ''}`
        : `${folder}: ${shipped} facts sent, ${end - tide.shipped} bytes are left. Kafka did not take them in time; run it again.`,
    );
    return isDone ? 'sent' : 'left';
  } finally {
    lock.release();
  }
}

function lockOf(folder: string): { release(): void } | null {
  try {
    return lockFolder(folder);
  } catch (error) {
    if (error instanceof FolderInUse) return null;
    throw error;
  }
}

const LOCK = 'lock';

/** A spool is a folder with a lock file. */
function spoolsUnder(root: string): string[] {
  if (!existsSync(root)) return [];
  if (existsSync(join(root, LOCK))) return [root];
  const below = [join(root, 'spool'), ...readdirSync(root).flatMap((name) => [join(root, name), join(root, name, 'spool')])];
  return [...new Set(below)]
    .filter((folder) => existsSync(folder) && statSync(folder).isDirectory() && existsSync(join(folder, LOCK)))
    .sort();
}

function askedOf(args: readonly string[]): { folders: string[]; seconds: number } | string {
  const folders: string[] = [];
  let seconds = 120;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === '--seconds') {
      seconds = Number(args[++i]);
      if (!Number.isFinite(seconds) || seconds <= 0) return `--seconds needs a number above 0, not "${args[i] ?? ''}"`;
    } else if (arg.startsWith('-')) return `${arg} is not an option of --drain`;
    else folders.push(arg);
  }
  return { folders, seconds };
}
