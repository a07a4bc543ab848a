// Breaks things while clicks and conversions go on, then checks that every promise was kept. A few minutes; see --help.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from './build.mjs';
import { steadyOperator, waitFor } from './api.mjs';
import { Client, paced, seeded } from './chaos-load.mjs';
import { ALL_SCOPES, waitForCatalog } from './demo.mjs';
import { ensureStores } from './infra.mjs';
import { verify } from './chaos-checks.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { startPlatform } from './platform.mjs';
import { bold, failWith, green, red, say, step } from './progress.mjs';
import { secrets } from './settings.mjs';

const HELP = `Two replicas of every service; 2,000 clicks, 500 conversions (20 % duplicates, 5 % before their click), 100 reversals and identities of
the same customers, at once, while every service is killed with -9, stopped at its crash points, and PostgreSQL is cut off for a minute.
Then every promise is checked.

  npm run chaos:smoke
  npm run chaos:smoke -- --seed 7 --keep     play another load; leave the databases and topics for a look
`;

const CLICKS = 2_000;
const CONVERSIONS = 400; // and 100 repeats of them
const IDENTITIES = 50;
const REVERSALS = 50;
const BASIS_POINTS = 1_000;
const OUTAGE_MS = 60_000;

/** Which crash point each life of a replica runs into; later lives run into none. */
const CRASHES = {
  'control-plane': [['relay:published#2'], ['relay:published#2']],
  'conversion-ingest': [
    ['ingest:committed#20', 'relay:published#4'],
    ['relay:published#4', 'ingest:committed#20'],
  ],
};
const CONSUMER_CRASHES = [
  ['consumer:committed#6', 'relay:published#4'],
  ['relay:published#4', 'consumer:committed#6'],
];
const crashesOf = (service) => (service === 'click-redirect' ? [[], []] : (CRASHES[service] ?? CONSUMER_CRASHES));

const argument = (name, fallback) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback);

async function main() {
  if (process.argv.includes('--help')) return void process.stdout.write(HELP);
  checkNode();
  await ensureInstalled();
  await ensureStores();
  await build();
  const seed = Number(argument('--seed', '1'));
  say(bold(`chaos smoke, seed ${seed}`));
  const lives = new Map();
  const exits = [];
  const envOf = (replica) => {
    const life = (lives.get(replica.name) ?? 0) + 1;
    lives.set(replica.name, life);
    const at = crashesOf(replica.service)[replica.replica]?.[life - 1];
    replica.crashAt = at;
    return at ? { CRASH_AT: at } : {};
  };
  const platform = await step('start two replicas of every service', () =>
    startPlatform({
      name: 'chaos',
      replicas: 2,
      env: { LOG_LEVEL: process.env.LOG_LEVEL || 'warn', PENDING_MS: '5000' },
      envOf,
      onRestart: (replica, end) =>
        exits.push({
          name: replica.name,
          service: replica.service,
          atMs: Date.now(),
          how: end.signalName ?? end.code,
          crashAt: replica.crashAt,
        }),
    }),
  );
  for (const replica of platform.replicas) replicaWithCrashes(replica, envOf);
  let checks;
  try {
    const random = seeded(seed);
    const clients = await step('two tenants whose external ids collide', () => makeClients(platform, random));
    const outage = await step(
      `${CLICKS} clicks, ${CONVERSIONS} conversions and ${REVERSALS + IDENTITIES} reversals and identities, while things break`,
      () => breakWhileLoaded(platform, clients, random, exits),
    );
    checks = await step('heal and check', () => verify(platform, clients, exits, outage, { clicks: CLICKS, basisPoints: BASIS_POINTS }));
  } finally {
    await step('stop', () => platform.stop());
    if (!process.argv.includes('--keep'))
      await platform.remove().catch((error) => say(`could not remove the run's data: ${error.message}`));
  }
  report(checks);
}

/** The supervisor starts a replica anew with the crash point of its next life. */
function replicaWithCrashes(replica, envOf) {
  const start = replica.start.bind(replica);
  replica.start = (extra = {}) => start({ ...envOf(replica), ...extra });
}

async function makeClients(platform, random) {
  const adminKey = secrets().adminKey;
  const clients = [];
  for (const name of ['North', 'South']) {
    const tenant = await steadyOperator(platform.urls, adminKey).post('/v1/tenants', { name });
    const admin = steadyOperator(platform.urls, adminKey, tenant.id);
    const program = await admin.post('/v1/programs', {
      name: 'Chaos',
      destination_hosts: ['shop.example'],
      hold_days: 30,
      window_days: 30,
    });
    await admin.post('/v1/plans', { program_id: program.id, name: 'Ten percent', kind: 'percentage', basis_points: BASIS_POINTS });
    const links = [];
    for (const partnerName of ['A', 'B', 'C']) {
      const partner = await admin.post('/v1/partners', { name: partnerName });
      const link = await admin.post('/v1/links', {
        program_id: program.id,
        partner_id: partner.id,
        destination: `https://shop.example/${partnerName}`,
      });
      links.push({ id: link.id, number: link.number, slug: link.slug, partnerId: partner.id, catalogVersion: link.catalog_version });
    }
    const key = await admin.post('/v1/api-keys', { name: 'server', scopes: ALL_SCOPES });
    const client = new Client(
      { apiKey: key.key, links, link: links[0], programId: program.id, tenantId: tenant.id },
      (service) => platform.urlsOf(service),
      random,
    );
    await waitForCatalog(platform.urls, { catalogVersion: links.at(-1).catalogVersion, apiKey: key.key });
    clients.push(client);
  }
  // Both replicas of the redirect must know the links.
  const newest = Math.max(...clients.flatMap((c) => c.program.links.map((l) => l.catalogVersion)));
  for (const url of platform.urlsOf('click-redirect'))
    await waitFor(`${url} knows the links`, async () => (await (await fetch(`${url}/readyz`)).json()).catalog_version >= newest);
  return clients;
}

/** The load of one tenant, as tasks that may run in any order and at once. */
function tasksOf(client, random, share) {
  const any = (list) => list[Math.floor(random() * list.length)];
  const links = client.program.links;
  const tasks = [];
  for (let i = 0; i < CONVERSIONS * share; i++) {
    const externalId = `order-${i}`;
    const customerId = `customer-${i % Math.floor(CONVERSIONS * share * 0.8)}`;
    const amountMinor = 500 + Math.floor(random() * 100_000);
    const copies = i % 4 === 0 ? 2 : 1; // a quarter of 400 twice: 20 % of 500 are repeats
    const identify = i % Math.round(CONVERSIONS / IDENTITIES) === 0;
    const refund = i % Math.round(CONVERSIONS / REVERSALS) === 1;
    const early = i % 20 === 7; // the conversion is sent before the click it is credited to exists
    tasks.push(async () => {
      const reversal = {
        externalId,
        id: `refund-${i}`,
        amountMinor: i % 3 === 0 ? null : Math.floor(amountMinor / 3),
        occurredAtMs: Date.now(),
      };
      if (early) {
        await client.convert({ externalId, customerId, amountMinor, occurredAtMs: Date.now() + 200_000 }, copies);
        const click = await client.click(any(links));
        if (click) await client.link({ clickId: click.clickId, customerId });
        return;
      }
      const click = await client.click(any(links));
      const named = click && !identify ? { clickId: click.clickId } : {};
      const conversion = { externalId, customerId, amountMinor, occurredAtMs: Date.now(), ...named };
      await Promise.all([
        client.convert(conversion, copies),
        // Of the same customer and at the same time: whoever comes first, the outcome is one.
        identify && click ? client.link({ clickId: click.clickId, customerId }) : null,
        refund ? client.reverse(reversal) : null,
      ]);
    });
  }
  const more = Math.round(CLICKS * share) - tasks.length;
  for (let i = 0; i < more; i++) tasks.push(() => client.click(any(links)));
  return tasks
    .map((task) => ({ task, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ task }) => task);
}

async function breakWhileLoaded(platform, clients, random, exits) {
  const [one, two] = clients.map((client) => tasksOf(client, random, 0.5));
  const tasks = one.flatMap((task, i) => (two[i] ? [task, two[i]] : [task]));
  const load = paced(tasks, { width: 400, perSecond: 18 });
  const outage = { exits: 0 };
  const faults = (async () => {
    await pause(5_000);
    for (const service of new Set(platform.replicas.map((r) => r.service))) {
      const victim =
        platform.replicas.find((r) => r.service === service && r.replica === (random() < 0.5 ? 0 : 1)) ??
        platform.replicas.find((r) => r.service === service);
      victim.signal('SIGKILL');
      outage.killed = [...(outage.killed ?? []), service];
      await pause(4_000);
    }
    await pause(2_000);
    const before = exits.length;
    platform.proxy.cut();
    await pause(OUTAGE_MS);
    outage.exits = exits.length - before;
    outage.exited = exits.slice(before);
    platform.proxy.heal();
  })();
  const ticking = setInterval(
    () =>
      say(
        `    ${clients.reduce((n, c) => n + c.clicks.length, 0)} clicks, ${clients.reduce((n, c) => n + c.receipts.size, 0)} accepted facts, ${exits.length} process ends`,
      ),
    10_000,
  );
  try {
    await Promise.all([load, faults]);
  } finally {
    clearInterval(ticking);
    platform.proxy.heal();
  }
  return outage;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function report(checks) {
  for (const { what, holds, saw } of checks) say(`  ${holds ? green('✓') : red('✗')} ${what}${saw ? ` (${saw})` : ''}`);
  const passed = checks.filter((c) => c.holds).length;
  const failed = checks.length - passed;
  const folder = process.env.BATON_RESULTS;
  if (folder) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'chaos-smoke.json'), JSON.stringify({ passed, failed, skipped: 0 }));
  }
  console.log(`chaos smoke: ${passed} passed, ${failed} failed`);
  process.exit(failed > 0 || checks.length === 0 ? 1 : 0);
}

await main().catch((error) => {
  failWith(error);
  process.exit(1);
});
