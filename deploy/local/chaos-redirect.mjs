// The click edge alone with its disk: everything behind it is taken away, it is killed meanwhile, and then each promise of a 302 is checked.
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { operator, waitFor } from './api.mjs';
import { Journal, Visitors } from './chaos-redirect-client.mjs';
import { verifyIds } from './chaos-redirect-checks.mjs';
import { frozenBroker, spoolFull } from './chaos-redirect-limits.mjs';
import { outage } from './chaos-redirect-outage.mjs';
import { disabledLink, forgedIds } from './chaos-redirect-refusals.mjs';
import { seeded } from './chaos-load.mjs';
import { ALL_SCOPES } from './demo.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { ownStores } from './own-stores.mjs';
import { startPlatform } from './platform.mjs';
import { startedNames, stopDetached } from './processes.mjs';
import { bold, failWith, green, red, say, step, Trouble } from './progress.mjs';
import { DATA, LOGS, secrets } from './settings.mjs';

const NAME = 'chaos-redirect';
const FOLDER = join(DATA, NAME);
const SERVICES = ['control-plane', 'click-redirect', 'conversion-ingest', 'attribution'];
const LINKS = 200;
/** In the order in which they are played. */
const PHASES = { outage, forged: forgedIds, frozen: frozenBroker, full: spoolFull, disabled: disabledLink };

const HELP = `Two replicas of the click edge, with a Kafka, a PostgreSQL and a Redis of the run's own. About seven minutes.

  outage     all three stores are stopped; clicks go on while the edge is killed with -9 twice and told to stop once; each id takes effect once
  forged     each character of an issued id is altered in turn; a conversion with it is refused
  frozen     the broker is frozen under load: answers stay as fast, memory stays as small, the backlog drains
  full       a spool of 1 MB fills: visitors arrive without ids, and every one of them is counted
  disabled   a link that is disabled is refused by every replica within 60 s

  npm run chaos -- redirect
  --clicks N         clicks while the stores are away (10000)
  --rate N           clicks a second while the broker is frozen (1000)
  --stop-seconds N   how long it is frozen (60)
  --seed N           another load (1)
  --only a,b         some of the above
`;

const OPTIONS = { clicks: 10_000, rate: 1_000, 'stop-seconds': 60, seed: 1, only: Object.keys(PHASES).join(',') };

async function main(args) {
  if (args.includes('--help')) return void process.stdout.write(HELP);
  const options = read(args);
  checkNode();
  await ensureInstalled();
  await build();
  say(bold(`chaos redirect, seed ${options.seed}`));
  const checks = new Checks();
  let world;
  const stop = async () => {
    world?.platform?.release();
    await step('stop', stopEverything);
  };
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(name, () => void stop().then(() => process.exit(130)));
  try {
    await stopEverything();
    rmSync(FOLDER, { recursive: true, force: true });
    forgetLogs();
    mkdirSync(FOLDER, { recursive: true });
    world = await step('two replicas of the edge, and what the line needs', () => makeWorld(options, checks));
    for (const name of options.only) await PHASES[name](world);
    if (options.only.at(-1) !== 'outage') await step('every id of the whole run', () => verifyIds(world, 'at the end: '));
  } catch (error) {
    failWith(error);
    checks.add('the run came to its end', false, error.message.split('\n')[0]);
  }
  world?.visitors?.close();
  await stop();
  report(checks.list);
}

function read(args) {
  const options = { ...OPTIONS };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    if (!(name in OPTIONS) || !args[i].startsWith('--')) throw new Trouble(`There is no ${args[i]}. Try: npm run chaos -- redirect --help`);
    options[name] = name === 'only' ? args[i + 1] : Number(args[i + 1]);
    if (name !== 'only' && !(options[name] > 0)) throw new Trouble(`${args[i]} needs a number above 0, not "${args[i + 1] ?? ''}"`);
  }
  const only = String(options.only).split(',');
  const strange = only.find((name) => !(name in PHASES));
  if (strange !== undefined) throw new Trouble(`--only takes some of ${Object.keys(PHASES).join(',')}, not "${strange}"`);
  return { ...options, stopMs: options['stop-seconds'] * 1_000, only: Object.keys(PHASES).filter((name) => only.includes(name)) };
}

/** Says each check as it comes. */
class Checks {
  list = [];
  add(what, holds, saw) {
    this.list.push({ what, holds: Boolean(holds), saw });
    say(`  ${holds ? green('✓') : red('✗')} ${what}${saw ? ` (${saw})` : ''}`);
  }
}

async function makeWorld(options, checks) {
  const random = seeded(options.seed);
  const stores = await ownStores({ name: NAME, folder: FOLDER });
  await stores.start();
  const exits = [];
  const platform = await startPlatform({
    name: NAME,
    services: SERVICES,
    replicas: { 'click-redirect': 2 },
    stores: stores.env,
    folder: join(FOLDER, 'data'),
    env: { LOG_LEVEL: process.env.LOG_LEVEL || 'warn' },
    onRestart: ({ name }, end) => exits.push({ name, how: end.signalName ?? end.code }),
  });
  const program = await makeProgram(platform);
  const visitors = new Visitors({ journal: new Journal(join(FOLDER, 'journal.jsonl')), links: program.links, random });
  const edges = platform.replicas.filter(({ service }) => service === 'click-redirect');
  const world = { options, checks, random, stores, platform, kafka: platform.kafka(), program, visitors, edges, exits, folder: FOLDER };
  await waitForEdges(world);
  return world;
}

async function makeProgram(platform) {
  const { adminKey } = secrets();
  const tenant = await operator(platform.urls, adminKey).post('/v1/tenants', { name: 'Chaos' });
  const admin = operator(platform.urls, adminKey, tenant.id);
  const program = await admin.post('/v1/programs', { name: 'Chaos', destination_hosts: ['shop.example'], hold_days: 30, window_days: 30 });
  const partner = await admin.post('/v1/partners', { name: 'Partner' });
  const links = [];
  while (links.length < LINKS) {
    const some = Array.from({ length: Math.min(10, LINKS - links.length) }, (_, i) =>
      admin.post('/v1/links', {
        program_id: program.id,
        partner_id: partner.id,
        destination: `https://shop.example/products/${links.length + i}`,
      }),
    );
    links.push(...(await Promise.all(some)));
  }
  const { key } = await admin.post('/v1/api-keys', { name: 'server', scopes: ALL_SCOPES });
  return { tenantId: tenant.id, admin, apiKey: key, links };
}

async function waitForEdges({ edges, program, platform }) {
  const newest = Math.max(...program.links.map((link) => link.catalog_version));
  for (const { name, url } of edges)
    await waitFor(`${name} knows the links`, async () => (await (await fetch(`${url}/readyz`)).json()).catalog_version >= newest);
  const headers = { authorization: `Bearer ${program.apiKey}` };
  const receipts = `${platform.urls['conversion-ingest']}/v1/receipts?external_id=none`;
  await waitFor('conversion-ingest knows the key', async () => (await fetch(receipts, { headers })).status !== 401);
}

/** Whatever of this name still runs, of this run or one that died. A frozen process takes nothing but SIGKILL. */
const stopEverything = () => Promise.all(startedNames(`${NAME}-`).map((name) => stopDetached(name, { first: 'SIGKILL' })));

/** Logs are appended to: those of the last run would be read as this one's. */
function forgetLogs() {
  if (!existsSync(LOGS)) return;
  for (const file of readdirSync(LOGS)) if (file.startsWith(`${NAME}-`)) rmSync(join(LOGS, file));
}

function report(checks) {
  const passed = checks.filter((check) => check.holds).length;
  const failed = checks.length - passed;
  if (failed > 0) say(`logs: ${join(LOGS, `${NAME}-*.log`)}; the journal, spools and stores' data: ${FOLDER}`);
  else rmSync(FOLDER, { recursive: true, force: true });
  const results = process.env.BATON_RESULTS;
  if (results) {
    mkdirSync(results, { recursive: true });
    writeFileSync(join(results, `${NAME}.json`), JSON.stringify({ passed, failed, skipped: 0 }));
  }
  console.log(`chaos redirect: ${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || checks.length === 0 ? 1 : 0);
}

await main(process.argv.slice(2)).catch((error) => {
  failWith(error);
  process.exit(1);
});
