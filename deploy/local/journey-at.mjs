// `npm run journey`: plays the demo journey against a platform that runs already, wherever it runs, and exits with its verdict.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs, parseEnv } from 'node:util';
import { checkNode, ensureInstalled } from './install.mjs';
import { playJourney, printJourney, seedDemo } from './journey.mjs';
import { failWith, step, Trouble } from './progress.mjs';
import { DATA, ROOT, secrets, serviceUrl, storeEnv } from './settings.mjs';

const HELP = `Plays the demo journey (a click, a sale, a reward) against a running platform and exits with its verdict: 0, or 1.

  npm run journey                                     the platform that npm start runs
  npm run journey -- --url http://127.0.0.1           the platform that docker compose runs there, on the ports of .env
  npm run journey -- --url https://baton.example.com:443   one address that leads each path to its service
  npm run journey -- --url control-plane=https://…    one service's address; of click-redirect, conversion-ingest and
                                                      reward-fulfillment too, the option four times

  --env-file <file>    where ports, ADMIN_KEY and TOPIC_PREFIX are read from (default .env, where there is one). Variables that are set go first
  --kafka <host:port>  brokers to watch the topics on; with docker compose the published port

It makes a tenant of its own, "Demo shop", once for each platform.
`;

/** What the journey speaks with, and the variable and default of its port in docker-compose.yml. */
const COMPOSE_PORTS = {
  'control-plane': ['CONTROL_PLANE_PORT', '8100'],
  'click-redirect': ['CLICK_REDIRECT_PORT', '8101'],
  'conversion-ingest': ['CONVERSION_INGEST_PORT', '8102'],
  'reward-fulfillment': ['REWARD_FULFILLMENT_PORT', '8103'],
};
const NAMES = Object.keys(COMPOSE_PORTS);
/** As in .env.example: known to everybody, so good for this machine alone. */
const DEFAULT_ADMIN_KEY = 'change-me-change-me-change-me-change-me';

async function main() {
  const { values } = parseArgs({
    options: {
      url: { type: 'string', multiple: true },
      'env-file': { type: 'string' },
      kafka: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  const { urls, adminKey, stores } = values.url ? elsewhere(values) : started();
  checkNode();
  // The platform may run in containers, from a clone in which nothing was installed.
  await ensureInstalled();
  const id = createHash('sha256').update(urls['control-plane']).digest('hex').slice(0, 8);
  mkdirSync(DATA, { recursive: true });
  const demo = await step('demo program', () => seedDemo(urls, adminKey, join(DATA, values.url ? `demo-${id}.json` : 'demo.json')));
  const trace = await step('one journey', () => playJourney(urls, demo, stores));
  printJourney(trace);
  process.exitCode = trace.ok ? 0 : 1;
}

const started = () => ({
  urls: Object.fromEntries(NAMES.map((name) => [name, serviceUrl(name)])),
  adminKey: secrets().adminKey,
  stores: storeEnv(),
});

function elsewhere({ url, kafka, 'env-file': file }) {
  const env = { ...fileEnv(file), ...process.env };
  const urls = addresses(url, env);
  const host = url.map((given) => composeHost(given)).find(Boolean);
  const brokers = kafka ?? (host ? `${host.hostname}:${env.KAFKA_PORT || '8192'}` : env.KAFKA_BROKERS);
  if (!brokers)
    throw new Trouble(
      'Say where Kafka is, to watch the topics: --kafka host:port. (For docker compose leave the port out: --url http://127.0.0.1)',
    );
  return { urls, adminKey: env.ADMIN_KEY || DEFAULT_ADMIN_KEY, stores: { KAFKA_BROKERS: brokers, TOPIC_PREFIX: env.TOPIC_PREFIX ?? '' } };
}

function fileEnv(file) {
  const path = file ?? join(ROOT, '.env');
  if (existsSync(path)) return parseEnv(readFileSync(path, 'utf8'));
  if (file) throw new Trouble(`--env-file ${file}: there is no such file.`);
  return {};
}

function addresses(given, env) {
  const urls = {};
  for (const text of given) {
    const [, name, address] = /^(?:([a-z-]+)=)?(.*)$/.exec(text);
    if (name && !NAMES.includes(name)) throw new Trouble(`--url ${text}: there is no "${name}"; there is ${NAMES.join(', ')}.`);
    if (!/^https?:\/\/[^/]/.test(address)) throw new Trouble(`--url ${text}: give an address such as http://127.0.0.1`);
    const host = composeHost(text);
    for (const one of name ? [name] : NAMES) urls[one] = host ? composeUrl(host, one, env) : address.replace(/\/+$/, '');
  }
  const missing = NAMES.filter((name) => !urls[name]);
  if (missing.length > 0) throw new Trouble(`The address of ${missing.join(' and ')} is missing: --url ${missing[0]}=http://…`);
  return urls;
}

/** An address without a port stands for the platform of docker compose on that machine. */
function composeHost(text) {
  return /^http:\/\/[^/:]+\/?$/.test(text) ? new URL(text) : null;
}

function composeUrl(host, name, env) {
  const [variable, fallback] = COMPOSE_PORTS[name];
  return `${host.protocol}//${host.hostname}:${env[variable] || fallback}`;
}

// kafkajs may keep a timer; everything is said by now.
await main().catch(failWith);
process.exit();
