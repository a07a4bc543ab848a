import 'reflect-metadata';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { closeHttp, createHttp, type Http } from '../http/http';
import { type BaseEnv, EnvError, loadEnv } from './env';
import { createLog, type Log } from './log';
import { startMetrics } from './metrics';

/** Something with a life of its own beside HTTP: a consumer, a relay, a connection pool. Started in order, stopped in reverse. */
export interface Part {
  readonly name: string;
  start?(): Promise<void>;
  /** Finishes what is in flight. Bounded by the service's own deadline. */
  stop?(): Promise<void>;
  /** Why this part cannot serve yet, or undefined when it can. Shown by /readyz. */
  unready?(): string | undefined | Promise<string | undefined>;
}

export interface Composition {
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  readonly parts: readonly Part[];
  /** More for /readyz to say, such as the catalog version that this process has reached. */
  readonly status?: () => Record<string, unknown>;
  /** Routes that answer before the framework. */
  readonly routes?: (http: Http) => void;
  /** Answers what must cost next to nothing, before everything else; false leaves the request to the framework. Never throws. */
  readonly front?: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly openApi?: {
    readonly title: string;
    readonly description: string;
    /** Of routes that answer before the framework, in OpenAPI 3.0. */
    readonly paths?: Readonly<Record<string, object>>;
  };
}

export interface Context<E> {
  readonly service: string;
  readonly env: E;
  readonly log: Log;
  /** The process cannot go on: logs why and exits non-zero, so that the supervisor starts it anew. */
  readonly fatal: (reason: string) => void;
}

export interface Service<E extends BaseEnv> {
  readonly service: string;
  readonly env: new () => E;
  readonly compose: (context: Context<E>) => Promise<Composition> | Composition;
}

const STOP_DEADLINE_MS = 25_000;
/**
 * How much the old generation may grow before all of it is collected: it doubles at most. V8 lets it grow to four times: under overload, when all that
 * waits outlives the young generation, that was 100 MB of what nobody needed any more; 20 MB now. With 40 percent a busy click-redirect did little else.
 */
const HEAP_GROWTH_PERCENT = 100;

/** A service from start to stop: environment, HTTP, parts; SIGTERM leads to unready, drained, finished, committed, gone within 25 s. */
export async function run<E extends BaseEnv>(service: Service<E>): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const env = environment(service);
  const log = createLog(service.service, env.LOG_LEVEL);
  startMetrics(service.service);
  const fatal = (reason: string): void => {
    log.fatal({ reason }, 'cannot go on');
    process.exit(1);
  };
  process.on('uncaughtException', (error) => fatal(`uncaught: ${error.stack ?? error.message}`));
  process.on('unhandledRejection', (error) =>
    fatal(`unhandled rejection: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`),
  );
  try {
    await start(service, { service: service.service, env, log, fatal });
  } catch (error) {
    fatal(`start failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  }
}

async function start<E extends BaseEnv>(service: Service<E>, context: Context<E>): Promise<void> {
  const { env, log } = context;
  const composition = await service.compose(context);
  const life = { stopping: false, started: false };
  const http = await createHttp(moduleOf(composition), composition, log, life);
  const started: Part[] = [];
  const stop = (signal: string) => void stopInOrder({ signal, http, started, life, log, drainMs: env.DRAIN_MS });
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  await http.listen(env.PORT, env.HOST);
  for (const part of composition.parts) {
    if (life.stopping) return;
    started.push(part);
    await part.start?.();
  }
  life.started = true;
  log.info({ url: await http.getUrl() }, 'started');
}

interface Stopping {
  readonly signal: string;
  readonly http: Http;
  readonly started: readonly Part[];
  readonly life: { stopping: boolean };
  readonly log: Log;
  readonly drainMs: number;
}

async function stopInOrder({ signal, http, started, life, log, drainMs }: Stopping): Promise<void> {
  life.stopping = true;
  log.info({ signal }, 'stopping');
  setTimeout(() => {
    log.fatal({ deadlineMs: STOP_DEADLINE_MS }, 'did not stop in time');
    process.exit(1);
  }, STOP_DEADLINE_MS).unref();
  await new Promise((resolve) => setTimeout(resolve, drainMs));
  let failed = false;
  const attempt = async (name: string, work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (error) {
      failed = true;
      log.error({ part: name, err: error }, 'did not stop cleanly');
    }
  };
  await attempt('http', () => closeHttp(http));
  for (const part of [...started].reverse()) await attempt(part.name, async () => part.stop?.());
  log.info('stopped');
  process.exit(failed ? 1 : 0);
}

function environment<E extends BaseEnv>(service: Service<E>): E {
  try {
    const env = loadEnv(service.env, process.env);
    if (process.argv.includes('--check-env')) {
      console.log(`${service.service}: the environment is complete`);
      process.exit(0);
    }
    return env;
  } catch (error) {
    if (!(error instanceof EnvError)) throw error;
    console.error(`${service.service}: ${error.message}`);
    process.exit(78);
  }
}

@Module({})
class ServiceModule {}

export function moduleOf({ controllers = [], providers = [] }: Composition): DynamicModule {
  return { module: ServiceModule, controllers, providers };
}
