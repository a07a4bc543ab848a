// The click edge alone with its disk: everything behind it is taken away, it is killed meanwhile, and then each promise of a 302 is checked.
import { join } from 'node:path';
import { build } from './build.mjs';
import { operator, waitFor } from './api.mjs';
import { Journal } from './chaos-journal.mjs';
import { Visitors } from './chaos-redirect-client.mjs';
import { verifyIds } from './chaos-redirect-checks.mjs';
import { frozenBroker, spoolFull } from './chaos-redirect-limits.mjs';
import { outage } from './chaos-redirect-outage.mjs';
import { disabledLink, forgedIds } from './chaos-redirect-refusals.mjs';
import { chaosFolder, playChaos } from './chaos-run.mjs';
import { seeded } from './chaos-load.mjs';
import { ALL_SCOPES } from './demo.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { ownStores } from './own-stores.mjs';
import { startPlatform } from './platform.mjs';
import { bold, failWith, say, step, Trouble } from './progress.mjs';
import { secrets } from './settings.mjs';

const NAME = 'chaos-redirect';
const FOLDER = chaosFolder(NAME);
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
  await playChaos({
    name: NAME,
    title: 'chaos redirect',
    makeWorld: (checks) => step('two replicas of the edge, and what the line needs', () => makeWorld(options, checks)),
    async play(world) {
      for (const name of options.only) await PHASES[name](world);
      if (options.only.at(-1) !== 'outage') await step('every id of the whole run', () => verifyIds(world, 'at the end: '));
    },
  });
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
  const world = {
    options,
    checks,
    random,
    stores,
    platform,
    kafka: platform.kafka(),
    program,
    visitors,
    edges,
    exits,
    folder: FOLDER,
    close: () => visitors.close(),
  };
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

await main(process.argv.slice(2)).catch((error) => {
  failWith(error);
  process.exit(1);
});
