// Our services as local processes: any number of replicas, each with its own port, log and environment.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { logTail, needFreePort, pause, runningPid, signal, startDetached, startedNames, stopDetached } from './processes.mjs';
import { Trouble } from './progress.mjs';
import { DATA, NODE_FLAGS, ROOT, secrets, servicePort, SERVICES, serviceUrl, storeEnv } from './settings.mjs';

/** HTTP edges end first, so that nothing new comes in while the consumers finish. */
const STOP_ORDER = [['click-redirect', 'control-plane', 'conversion-ingest'], ['attribution'], ['fraud-scoring'], ['reward-fulfillment']];

/** The environment of one replica. `platform` may set other prefixes and a port offset, for a second platform beside the first. */
export function serviceEnv(service, replica = 0, platform = {}) {
  const stores = { ...storeEnv(), ...platform.stores };
  const made = secrets();
  const role = (name) => {
    const url = new URL(stores.POSTGRES_ADMIN_URL);
    url.username = `baton_${service.replaceAll('-', '_')}_${name}`;
    url.password = stores.DATABASE_PASSWORD;
    url.pathname = `/${stores.DATABASE_PREFIX}${service.replaceAll('-', '_')}`;
    return url.toString();
  };
  return {
    PATH: process.env.PATH,
    HOME: process.env.HOME,
    NODE_ENV: 'production',
    HOST: '127.0.0.1',
    PORT: String(servicePort(service, replica + (platform.replicaOffset ?? 0))),
    LOG_LEVEL: process.env.LOG_LEVEL || 'info',
    KAFKA_BROKERS: stores.KAFKA_BROKERS,
    TOPIC_PREFIX: stores.TOPIC_PREFIX,
    REDIS_URL: stores.REDIS_URL,
    REDIS_PREFIX: stores.REDIS_PREFIX,
    DATABASE_URL: role('worker'),
    DATABASE_API_URL: role('api'),
    CLICK_ID_KEYS: made.clickIdKeys,
    ADMIN_KEY: made.adminKey,
    ADDRESS_HASH_KEY: made.addressHashKey,
    EMAIL_HASH_KEY: made.emailHashKey,
    DOOR_SECRETS_KEY: made.doorSecretsKey,
    POSTBACK_SIGNING_ROOT: made.postbackSigningRoot,
    PUBLIC_URL: serviceUrl('click-redirect', platform.replicaOffset ?? 0),
    // Each replica's own: its spool has one owner.
    DATA_DIR: join(platform.folder ?? join(DATA, 'data'), `${service}-${replica}`),
    ...platform.env,
  };
}

/** One replica that can be started, killed, and started again. `platform.wrap` puts its command line into another program's. */
export class Replica {
  constructor(service, replica = 0, platform = {}) {
    this.service = service;
    this.replica = replica;
    this.platform = platform;
    this.name = `${platform.name ? `${platform.name}-` : ''}${service}-${replica}`;
    this.url = serviceUrl(service, replica + (platform.replicaOffset ?? 0));
    this.wanted = false;
  }

  /** Starts the process, without waiting for it. `extra` is added to its environment for this start alone. */
  async start(extra = {}) {
    this.wanted = true;
    const main = join(ROOT, 'apps', this.service, 'dist/main.js');
    if (!existsSync(main)) throw new Trouble(`${this.service} is not built: ${main} is missing. Run: npm run build`);
    if (runningPid(this.name)) await stopDetached(this.name, { first: 'SIGKILL' });
    await needFreePort(Number(new URL(this.url).port), this.name);
    // The name at the end is nothing to the program: it is how the process is known again.
    const own = [process.execPath, ...NODE_FLAGS, main, `--replica=${this.name}`];
    const [command, ...args] = this.platform.wrap?.(own) ?? own;
    this.child = startDetached({
      name: this.name,
      command,
      args,
      env: { ...serviceEnv(this.service, this.replica, this.platform), ...extra },
      mark: `--replica=${this.name}`,
    });
    const ended = new Promise((resolve) => this.child.once('exit', (code, signalName) => resolve({ code, signalName })));
    this.ended = ended;
    void ended.then((end) => this.onExit?.(end));
  }

  get isRunning() {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null;
  }

  async ready(deadlineMs = 60_000) {
    const end = Date.now() + deadlineMs;
    let last = 'no answer';
    while (Date.now() < end) {
      if (!this.isRunning)
        throw new Trouble(
          `${this.name} ended with ${this.child.signalCode ?? this.child.exitCode} while it was starting.\n${logTail(this.name)}`,
        );
      try {
        const answer = await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) });
        if (answer.ok) return;
        last = await answer.text();
      } catch (error) {
        last = error.cause?.message ?? error.message;
      }
      await pause(100);
    }
    throw new Trouble(`${this.name} was not ready within ${deadlineMs / 1000} s (${last}).\n${logTail(this.name)}`);
  }

  signal(name) {
    return signal(this.name, name);
  }

  /** As a crash: nothing is finished. */
  async kill() {
    this.wanted = false;
    this.signal('SIGKILL');
    await this.ended;
  }

  async stop() {
    this.wanted = false;
    await stopDetached(this.name, { deadlineMs: 26_000 });
  }
}

/** Keeps replicas alive, as a supervisor does: one that ends unasked is started again, a little later each time. */
export function supervise(replicas, { onRestart = () => {} } = {}) {
  let stopped = false;
  for (const replica of replicas) {
    let failures = 0;
    let startedMs = Date.now();
    replica.onExit = async (end) => {
      if (stopped || !replica.wanted) return;
      failures = Date.now() - startedMs > 30_000 ? 1 : failures + 1;
      onRestart(replica, end, failures);
      await pause(Math.min(250 * 2 ** (failures - 1), 10_000));
      if (stopped || !replica.wanted) return;
      startedMs = Date.now();
      await replica.start().catch(() => {});
    };
  }
  return () => {
    stopped = true;
  };
}

export async function stopInOrder(replicas) {
  for (const group of STOP_ORDER) await Promise.all(replicas.filter((r) => group.includes(r.service)).map((r) => r.stop()));
}

/** Ends services that a launcher left behind when it died. */
export async function sweepServices() {
  const names = startedNames().filter((name) => SERVICES.some((service) => name.includes(`${service}-`)));
  await Promise.all(names.map((name) => stopDetached(name, { deadlineMs: 26_000 })));
}
