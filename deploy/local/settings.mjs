// Where this clone keeps its data and which ports it takes: both follow from the clone's folder, so that two clones run side by side.
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = realpathSync(join(dirname(fileURLToPath(import.meta.url)), '../..'));
/** Everything a run leaves behind lies here; git ignores it. */
export const DATA = join(ROOT, '.baton');
export const LOGS = join(DATA, 'logs');
/** Shared by clones: what was downloaded and never changes. */
export const CACHE = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'baton');

const folderHash = createHash('sha256').update(ROOT).digest();
export const FOLDER_ID = folderHash.toString('hex', 0, 4);

const PORTS_PER_CLONE = 40;
const FIRST_PORT = 10_240;
const BLOCKS = 490;

function basePort() {
  const given = process.env.BATON_BASE_PORT;
  if (!given) return FIRST_PORT + (folderHash.readUInt32BE(4) % BLOCKS) * PORTS_PER_CLONE;
  const port = Number(given);
  if (!Number.isInteger(port) || port < 1024 || port > 65_000)
    throw new Error(`BATON_BASE_PORT is "${given}"; give a port from 1024 to 65000 (the ${PORTS_PER_CLONE} from it on are used)`);
  return port;
}

export const BASE_PORT = basePort();

/**
 * How Node runs our services, here and in their images. V8's young generation begins at 1 MB and grows with what survives, in a small container not far;
 * little survives here, so a busy service would collect hundreds of times a second, with all helper threads. Begun at 16 MB, click-redirect takes a fifth
 * less CPU at 128 connections.
 *
 * Allocation-site pretenuring lets V8 place what a line of code makes into the old generation once much of it survived, as while a service starts. What
 * such an object refers to then outlives its request as well, until all is collected: a third of the young generation survived each time instead of
 * 2 percent, in about every second process, for as long as it lived. Without it none is like that.
 */
export const NODE_FLAGS = [
  '--enable-source-maps',
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--no-allocation-site-pretenuring',
];

/** In the order in which ports are given; ten apart, so that further replicas of a service take the next ones. */
export const SERVICES = ['control-plane', 'click-redirect', 'conversion-ingest', 'attribution', 'fraud-scoring', 'reward-fulfillment'];
export const PORTS = { kafka: BASE_PORT, kafkaController: BASE_PORT + 1, postgres: BASE_PORT + 2, redis: BASE_PORT + 3 };
/** The port of replica 0, 1, … of a service. */
export const servicePort = (service, replica = 0) => BASE_PORT + 4 + SERVICES.indexOf(service) * 6 + replica;
export const serviceUrl = (service, replica = 0) => `http://127.0.0.1:${servicePort(service, replica)}`;

/** Made once at random for this clone, readable by its owner alone. */
export function secrets() {
  const file = join(DATA, 'secrets.json');
  const kept = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
  const fresh = {
    clickIdKeys: `1:${randomBytes(32).toString('hex')}`,
    adminKey: randomBytes(24).toString('base64url'),
    addressHashKey: randomBytes(32).toString('hex'),
    emailHashKey: randomBytes(32).toString('hex'),
    doorSecretsKey: randomBytes(32).toString('hex'),
    databasePassword: randomBytes(18).toString('hex'),
    postbackSigningRoot: randomBytes(32).toString('hex'),
  };
  // A clone of before keeps its secrets and gets those that are new.
  if (Object.keys(fresh).every((name) => name in kept)) return kept;
  const made = { ...fresh, ...kept };
  mkdirSync(DATA, { recursive: true });
  writeFileSync(file, `${JSON.stringify(made, null, 2)}\n`, { mode: 0o600 });
  return made;
}

/** Stores that one run starts for itself alone take ports from here: above those of clones, below those that connections get. */
export const RUN_PORTS = { first: FIRST_PORT + BLOCKS * PORTS_PER_CLONE, last: 32_767 };

export const adminUrlOf = (port) => `postgresql://postgres:${secrets().databasePassword}@127.0.0.1:${port}/postgres`;

/** The addresses of stores, and the prefixes that keep this clone apart where it shares them. `given` names some of them. */
export function storeEnv(given = process.env) {
  const own = { KAFKA_BROKERS: PORTS.kafka, POSTGRES_ADMIN_URL: PORTS.postgres, REDIS_URL: PORTS.redis };
  // A store that is named and is not this clone's own may serve other clones too.
  const shares = Object.entries(own).some(([name, port]) => given[name] && !given[name].includes(`127.0.0.1:${port}`));
  const adminUrl = given.POSTGRES_ADMIN_URL || adminUrlOf(PORTS.postgres);
  return {
    KAFKA_BROKERS: given.KAFKA_BROKERS || `127.0.0.1:${PORTS.kafka}`,
    POSTGRES_ADMIN_URL: adminUrl,
    REDIS_URL: given.REDIS_URL || `redis://127.0.0.1:${PORTS.redis}`,
    TOPIC_PREFIX: given.TOPIC_PREFIX ?? (shares ? `c${FOLDER_ID}.` : ''),
    DATABASE_PREFIX: given.DATABASE_PREFIX ?? (shares ? `baton_${FOLDER_ID}_` : 'baton_'),
    REDIS_PREFIX: given.REDIS_PREFIX ?? (shares ? `baton:${FOLDER_ID}:` : 'baton:'),
    DATABASE_PASSWORD: given.DATABASE_PASSWORD || passwordFor(adminUrl),
  };
}

/** Roles are the server's, shared by every prefix on it: all who know the server's administrator derive the same password. */
const passwordFor = (adminUrl) => createHash('sha256').update(`baton roles ${adminUrl}`).digest('hex').slice(0, 32);
