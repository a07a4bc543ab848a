// A compose platform of its own for a test: another project name, free ports, secrets made for it, beside whatever else runs here.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { kafkaOf } from './platform.mjs';
import { Trouble } from './progress.mjs';
import { DATA, FOLDER_ID, ROOT, RUN_PORTS } from './settings.mjs';

/** What docker itself needs; whatever else is set here must not change what compose reads. */
const PASSED_ON =
  /^(PATH|HOME|USER|LANG|LC_.*|TMPDIR|XDG_.*|DOCKER_.*|BUILDX_.*|BUILDKIT_.*|SSL_.*|NODE_EXTRA_CA_CERTS|.*_proxy|.*_PROXY)$/;
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => PASSED_ON.test(name)));

/** Runs a program; gives its code and what it said. Never throws for a code. */
export function run(command, args, { timeoutMs = 120_000, env = environment, onLine = undefined } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'], timeout: timeoutMs });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'])
      child[stream].setEncoding('utf8').on('data', (text) => {
        said[stream] = (said[stream] + text).slice(-4_000_000);
        onLine?.(text);
      });
    child.once('error', (error) => reject(new Trouble(`${command} could not be started: ${error.message}`)));
    child.once('close', (code, signal) => resolve({ code: code ?? signal, ...said }));
  });
}

/** The same, where any code but 0 ends the run with what was said. Gives standard output. */
export async function mustRun(command, args, options) {
  const { code, stdout, stderr } = await run(command, args, options);
  if (code !== 0) throw new Trouble(`${command} ${args.join(' ')} ended with ${code}:\n${`${stdout}\n${stderr}`.trim().slice(-4_000)}`);
  return stdout;
}

export class ComposePlatform {
  /** Takes ports and writes the settings. */
  static async create() {
    const platform = new ComposePlatform();
    platform.ports = await freePorts();
    platform.envFile = join(DATA, 'containers.env');
    mkdirSync(DATA, { recursive: true });
    platform.settings = settingsOn(platform.ports);
    const lines = Object.entries(platform.settings).map(([name, value]) => `${name}=${value}`);
    writeFileSync(platform.envFile, `${lines.join('\n')}\n`, { mode: 0o600 });
    return platform;
  }

  name = `baton-test-${FOLDER_ID}`;
  args = (...more) => ['compose', '--project-name', this.name, '--env-file', this.envFile, ...more];
  compose = (...more) => mustRun('docker', this.args(...more), { timeoutMs: 900_000 });
  /** Code and output, whatever they are. */
  tryCompose = (...more) => run('docker', this.args(...more), { timeoutMs: 300_000 });

  up = (...more) => this.compose('up', '--detach', '--wait', '--no-build', '--wait-timeout', '300', ...more);

  get urls() {
    const { CONTROL_PLANE_PORT, CLICK_REDIRECT_PORT, CONVERSION_INGEST_PORT, REWARD_FULFILLMENT_PORT } = this.settings;
    const at = (port) => `http://127.0.0.1:${port}`;
    return {
      'control-plane': at(CONTROL_PLANE_PORT),
      'click-redirect': at(CLICK_REDIRECT_PORT),
      'conversion-ingest': at(CONVERSION_INGEST_PORT),
      'reward-fulfillment': at(REWARD_FULFILLMENT_PORT),
    };
  }

  /** The names of a service's containers. */
  async containers(service) {
    return (await this.compose('ps', '--all', '--format', '{{.Name}}', service)).split('\n').filter(Boolean).sort();
  }

  inspect = async (container, format) => (await mustRun('docker', ['inspect', '--format', format, container])).trim();

  /** Rows of one service's database, read as the administrator. */
  async query(service, sql, values = []) {
    const { Client } = createRequire(import.meta.url)('pg');
    const { POSTGRES_PASSWORD, POSTGRES_PORT } = this.settings;
    const database = `baton_${service.replaceAll('-', '_')}`;
    const client = new Client({ connectionString: `postgresql://postgres:${POSTGRES_PASSWORD}@127.0.0.1:${POSTGRES_PORT}/${database}` });
    await client.connect();
    try {
      return (await client.query(sql, values)).rows;
    } finally {
      await client.end();
    }
  }

  kafka = () => kafkaOf({ KAFKA_BROKERS: `127.0.0.1:${this.settings.KAFKA_PORT}`, TOPIC_PREFIX: '' });

  /** Containers, networks, volumes: nothing stays. */
  remove = () => this.tryCompose('--profile', '*', 'down', '--volumes', '--remove-orphans', '--timeout', '30');
}

function settingsOn(ports) {
  const secret = () => randomBytes(32).toString('hex');
  return {
    CONTROL_PLANE_PORT: ports[0],
    CLICK_REDIRECT_PORT: ports[1],
    CLICK_REDIRECT_2_PORT: ports[2],
    SAMPLE_ADVERTISER_PORT: ports[3],
    POSTGRES_PORT: ports[4],
    KAFKA_PORT: ports[5],
    CONVERSION_INGEST_PORT: ports[6],
    REWARD_FULFILLMENT_PORT: ports[7],
    PUBLIC_URL: `http://127.0.0.1:${ports[1]}`,
    POSTGRES_PASSWORD: secret(),
    DATABASE_PASSWORD: secret(),
    ADMIN_KEY: secret(),
    CLICK_ID_KEYS: `1:${secret()}`,
    ADDRESS_HASH_KEY: secret(),
    EMAIL_HASH_KEY: secret(),
    DOOR_SECRETS_KEY: secret(),
    POSTBACK_SIGNING_ROOT: secret(),
    PENDING_MS: 5_000,
  };
}

/** Ports side by side that nobody listens on. */
async function freePorts(count = 8) {
  for (let first = RUN_PORTS.first + (process.pid % 100) * count; first + count < RUN_PORTS.last; first += count) {
    const ports = Array.from({ length: count }, (_, i) => first + i);
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return ports;
  }
  throw new Trouble(`There are no ${count} free ports side by side from ${RUN_PORTS.first} to ${RUN_PORTS.last}.`);
}

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer()
      .once('error', () => resolve(false))
      .listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
