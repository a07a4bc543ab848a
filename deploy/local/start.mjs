// `npm start`: from a bare clone to the running platform, with a journey to show that it works.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { ensureStores, stopStores } from './infra.mjs';
import { checkNode, ensureInstalled, runQuiet } from './install.mjs';
import { playJourney, printJourney, seedDemo } from './journey.mjs';
import { runningPid } from './processes.mjs';
import { bold, dim, failWith, green, red, say, step, Trouble } from './progress.mjs';
import { Replica, stopInOrder, supervise, sweepServices } from './services.mjs';
import { DATA, LOGS, ROOT, secrets, SERVICES, serviceUrl, storeEnv } from './settings.mjs';

const HELP = `Runs the whole platform on this machine: installs what is missing, starts Kafka, PostgreSQL and Redis (or uses those that
KAFKA_BROKERS, POSTGRES_ADMIN_URL and REDIS_URL name), builds, migrates, starts every service, seeds a demo program and plays one journey.

  npm start                  stay up until Ctrl-C
  npm start -- --once        play the journey, stop what was started, exit with the journey's verdict
  npm start -- --fresh       forget the data of earlier runs first
  npm start -- --keep        leave Kafka, PostgreSQL and Redis running at the end (npm run infra -- down stops them)
  npm start -- --yes         install missing system packages without asking

Ports follow from the folder; BATON_BASE_PORT=12000 npm start takes others. Data and logs lie in .baton/.
`;

const KNOWN = ['--once', '--fresh', '--keep', '--yes', '--help'];

async function main(args) {
  const strange = args.find((arg) => !KNOWN.includes(arg));
  if (strange) throw new Trouble(`There is no ${strange}. Try: npm start -- --help`);
  if (args.includes('--help')) return void process.stdout.write(HELP);
  checkNode();
  const once = args.includes('--once');
  const platform = new Platform(args.includes('--keep'));
  platform.stopOnSignals();
  platform.surviveLostOutput();
  try {
    if (args.includes('--fresh')) await platform.forget();
    await platform.start();
    const ok = await platform.journey();
    if (once) process.exitCode = ok ? 0 : 1;
    else await platform.stayUp();
  } catch (error) {
    if (!platform.interrupted) failWith(error);
  }
  await platform.stop();
  process.exit();
}

class Platform {
  replicas = [];
  interrupted = false;
  constructor(keep) {
    this.keep = keep;
    this.interrupt = new Promise((resolve) => {
      this.onInterrupt = resolve;
    });
  }

  stopOnSignals() {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(name, () => {
        if (this.interrupted) return void say(dim('still stopping …'));
        this.interrupted = true;
        say(`\n${name}: stopping in order`);
        this.onInterrupt();
        // In the middle of starting there is nobody who waits for the interrupt.
        if (!this.up) void this.stop().then(() => process.exit(130));
      });
    }
  }

  /** A terminal that goes away takes our output with it, and must not take our orderly stop. */
  surviveLostOutput() {
    for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  }

  async forget() {
    await step('forget earlier data', async () => {
      await sweepServices();
      await stopStores();
      rmSync(DATA, { recursive: true, force: true });
    });
  }

  async start() {
    await ensureInstalled();
    this.ownStores = ['kafka', 'postgres', 'redis'].every((name) => !runningPid(name));
    const [env] = await Promise.all([ensureStores(), build()]);
    await step('databases, migrations, topics', () => prepare({ ...process.env, ...env }));
    await sweepServices();
    this.replicas = SERVICES.map((service) => new Replica(service));
    await step(`start ${SERVICES.length} services`, async () => {
      for (const replica of this.replicas) await replica.start();
      await Promise.all(this.replicas.map((replica) => replica.ready()));
    });
    this.release = supervise(this.replicas, {
      onRestart: ({ name }, { code, signalName }) =>
        say(red(`${name} ended (${signalName ?? code}) and is started again; its log: ${join(LOGS, `${name}.log`)}`)),
    });
  }

  async journey() {
    const urls = Object.fromEntries(SERVICES.map((service) => [service, serviceUrl(service)]));
    const demo = await step('demo program', () => seedDemo(urls, secrets().adminKey, join(DATA, 'demo.json')));
    const trace = await step('one journey', () => playJourney(urls, demo));
    printJourney(trace);
    return trace.ok;
  }

  async stayUp() {
    this.up = true;
    say(`\n${green('Baton is up.')}`);
    for (const service of SERVICES) say(`  ${service.padEnd(20)} ${serviceUrl(service)}`);
    const stores = storeEnv();
    say(`  ${'kafka'.padEnd(20)} ${stores.KAFKA_BROKERS}\n  ${'redis'.padEnd(20)} ${stores.REDIS_URL}`);
    say(
      `  ${'admin key'.padEnd(20)} in ${join(DATA, 'secrets.json')}\n${dim(`  logs in ${LOGS}; OpenAPI at /openapi.json; Ctrl-C stops everything`)}`,
    );
    // Neither children that are on their own nor a promise keep Node alive: without this it would end here, and nobody would look after the services.
    const watch = setInterval(() => {}, 60_000);
    await this.interrupt;
    clearInterval(watch);
  }

  async stop() {
    if (this.stopped) return;
    this.stopped = true;
    this.release?.();
    if (this.replicas.length > 0) await step('stop services', () => stopInOrder(this.replicas));
    if (this.ownStores && !this.keep) await stopStores();
    say(bold('stopped'));
  }
}

/** Everything that must be there before the first service starts; safe to run again. */
export async function prepare(env) {
  const cli = (...args) => runQuiet(process.execPath, [join(ROOT, 'apps/cli/dist/main.js'), ...args], { env });
  await Promise.all([cli('topics', 'create'), cli('db', 'bootstrap').then(() => cli('migrate'))]);
}

if (process.argv[1]?.endsWith('start.mjs')) await main(process.argv.slice(2)).catch(failWith);
