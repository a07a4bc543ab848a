// The conversion edge under load while it, and everything behind it, is killed and frozen in turn; then each promise of a 2xx is checked.
import { join } from 'node:path';
import { build } from './build.mjs';
import { operator, waitFor } from './api.mjs';
import { Advertiser, plan } from './chaos-ingest-client.mjs';
import { verifyFacts } from './chaos-ingest-checks.mjs';
import { breakInTurn, crashInLaterLives } from './chaos-ingest-faults.mjs';
import { Journal } from './chaos-journal.mjs';
import { paced, seeded } from './chaos-load.mjs';
import { chaosFolder, playChaos } from './chaos-run.mjs';
import { ALL_SCOPES } from './demo.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { ownStores } from './own-stores.mjs';
import { startPlatform } from './platform.mjs';
import { bold, failWith, say, step, Trouble } from './progress.mjs';
import { secrets } from './settings.mjs';

const NAME = 'chaos-ingest';
const FOLDER = chaosFolder(NAME);
const SERVICES = ['control-plane', 'conversion-ingest', 'attribution'];
const WIDTH = 200;

const HELP = `Two replicas of conversion-ingest, with a Kafka, a PostgreSQL and a Redis of the run's own. About three minutes.

Conversions, reversals and identities come in, a fifth of them repeats and some in conflict with an earlier one, while each replica and each store
is killed with -9 and frozen in turn, and replicas die between commit and answer and between publish and mark. Every request and answer is in
a journal on disk; what had no final answer is asked again. Then: each 2xx is one stored fact, one receipt to the letter, at least one message
with the same bytes, one effect in attribution; counters add up; nothing waits.

  npm run chaos -- ingest
  --requests N   how many (5000)
  --rate N       so many a second at most (45)
  --seed N       another load (1)
`;

const OPTIONS = { requests: 5_000, rate: 45, seed: 1 };

async function main(args) {
  if (args.includes('--help')) return void process.stdout.write(HELP);
  const options = read(args);
  checkNode();
  await ensureInstalled();
  await build();
  say(bold(`chaos ingest, seed ${options.seed}`));
  await playChaos({
    name: NAME,
    title: 'chaos ingest',
    makeWorld: (checks) => step('two replicas of the ingest, and what the line needs', () => makeWorld(options, checks)),
    play: async (world) => {
      await step(`${options.requests} requests while everything breaks`, () => tellWhileBreaking(world));
      await step('every answer of the whole run', () => verifyFacts(world));
    },
  });
}

function read(args) {
  const options = { ...OPTIONS };
  for (let i = 0; i < args.length; i += 2) {
    const name = args[i].replace(/^--/, '');
    if (!(name in OPTIONS) || !args[i].startsWith('--')) throw new Trouble(`There is no ${args[i]}. Try: npm run chaos -- ingest --help`);
    options[name] = Number(args[i + 1]);
    if (!(options[name] > 0)) throw new Trouble(`${args[i]} needs a number above 0, not "${args[i + 1] ?? ''}"`);
  }
  return options;
}

async function makeWorld(options, checks) {
  const random = seeded(options.seed);
  const stores = await ownStores({ name: NAME, folder: FOLDER });
  await stores.start();
  const exits = [];
  const platform = await startPlatform({
    name: NAME,
    services: SERVICES,
    replicas: { 'conversion-ingest': 2 },
    stores: stores.env,
    folder: join(FOLDER, 'data'),
    env: { LOG_LEVEL: process.env.LOG_LEVEL || 'warn' },
    onRestart: ({ name, crashAt }, end) => exits.push({ name, how: end.signalName ?? end.code, ...(crashAt ? { crashAt } : {}) }),
  });
  const ingests = platform.replicas.filter(({ service }) => service === 'conversion-ingest');
  const apiKey = await makeProgram(platform);
  const headers = { authorization: `Bearer ${apiKey}` };
  for (const { name, url } of ingests)
    await waitFor(`${name} knows the key`, async () => (await fetch(`${url}/v1/receipts?external_id=none`, { headers })).status === 404);
  const journal = new Journal(join(FOLDER, 'journal.jsonl'));
  const advertiser = new Advertiser({ journal, urls: ingests.map(({ url }) => url), apiKey, random });
  return {
    options,
    checks,
    random,
    stores,
    platform,
    kafka: platform.kafka(),
    ingests,
    exits,
    advertiser,
    close: () => advertiser.close(),
  };
}

async function makeProgram(platform) {
  const { adminKey } = secrets();
  const tenant = await operator(platform.urls, adminKey).post('/v1/tenants', { name: 'Chaos' });
  const admin = operator(platform.urls, adminKey, tenant.id);
  await admin.post('/v1/programs', { name: 'Chaos', destination_hosts: ['shop.example'], hold_days: 30, window_days: 30 });
  return (await admin.post('/v1/api-keys', { name: 'server', scopes: ALL_SCOPES })).key;
}

async function tellWhileBreaking(world) {
  const { advertiser, options, random, checks, exits, ingests } = world;
  crashInLaterLives(ingests);
  const requests = plan({ requests: options.requests, random });
  const conflicts = requests.filter(({ isConflict }) => isConflict);
  const others = requests.filter(({ isConflict }) => !isConflict);
  const tell = (some) =>
    paced(
      some.map((fact) => () => advertiser.tell(fact)),
      { width: WIDTH, perSecond: options.rate },
    );
  const [, faults] = await Promise.all([tell(others), breakInTurn(world)]);
  await tell(conflicts);
  const { answered, tries, passing } = advertiser;
  checks.add(
    `${options.requests} requests had a final answer`,
    answered.length === options.requests,
    `${tries} tries; ${JSON.stringify(passing)}`,
  );
  const diedAt = (point) => exits.filter(({ how, crashAt }) => how === 'SIGKILL' && crashAt?.startsWith(point)).length;
  const [committed, published] = [diedAt('ingest:committed'), diedAt('relay:published')];
  checks.add(
    `${faults} faults happened, and replicas also died between commit and answer and between publish and mark`,
    committed > 0 && published > 0,
    `${committed} and ${published} times; ${exits.length} process ends`,
  );
  // One that is told to stop before it can listen to that ends by the signal itself.
  const strange = exits.filter(({ how }) => !['SIGKILL', 'SIGTERM', 0].includes(how));
  checks.add('no service ended because a store was away', strange.length === 0, JSON.stringify(strange));
}

await main(process.argv.slice(2)).catch((error) => {
  failWith(error);
  process.exit(1);
});
