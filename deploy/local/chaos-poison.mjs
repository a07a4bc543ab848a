// Twelve kinds of bad messages among ten thousand good ones: what must become of each, and what nobody else may notice.
import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from './api.mjs';
import { ROOT, secrets } from './settings.mjs';

const require = createRequire(import.meta.url);
const GOOD = 10_000;
/** Slow enough that a delay can only come from the poison, not from a queue. */
const PER_SECOND = 500;
const TOPIC = 'baton.clicks.v1';
const DLQ = `${TOPIC}.dlq.attribution`;
/** No partition may be held up longer than this by what happens in another. */
const DELAY_MAX_S = 5;

/** Clicks as click-redirect would record them, of a tenant's link. */
function clickMaker({ tenantId, programId, link }) {
  const { ClickRecorded, encode, mintClickId, parseClickIdKeys } = require('@baton/contracts');
  const { signingKeyId, keys } = parseClickIdKeys(secrets().clickIdKeys);
  return (change = {}) => {
    const occurredAtMs = Date.now();
    const clickId = mintClickId(keys, tenantId, {
      keyId: signingKeyId,
      linkNumber: link.number,
      occurredAtMs,
      nonce: randomBytes(4).readUInt32BE(),
    });
    const data = {
      tenantId,
      clickId,
      linkId: link.id,
      linkNumber: link.number,
      programId,
      partnerId: link.partnerId,
      occurredAt: new Date(occurredAtMs).toISOString(),
      bot: false,
      prefetch: false,
      subIds: {},
      destination: 'https://shop.example/',
      network: '203.0.113.0/24',
      addressHash: randomUUID(),
    };
    return { clickId, data, message: encode({ contract: ClickRecorded, data: { ...data, ...change } }) };
  };
}

/** Kind -> a message that cannot be handled. */
function poison(make) {
  const { message } = make();
  const value = (text) => ({ ...message, value: text });
  const header = (name, text) => ({ ...message, headers: { ...message.headers, [name]: text } });
  return {
    'not JSON': value('no json'),
    null: value(null),
    empty: value(''),
    '5,000-deep array': value('['.repeat(5_000) + ']'.repeat(5_000)),
    'wrong types': make({ bot: 'no', linkNumber: 'one' }).message,
    'wrong tenant': header('ce_tenant', randomUUID()),
    '1 MB': value('x'.repeat(1_000_000)),
    'unknown version': header('ce_type', 'baton.click.recorded.v9'),
    'missing key': { ...message, key: null },
    'bad date': make({ occurredAt: '2026-02-31T12:00:00.000Z' }).message,
    'float amount': make({ linkNumber: 1.5 }).message,
    'unknown type': header('ce_type', 'baton.nothing.happened.v1'),
  };
}

export async function verifyPoison(platform, program, exits, check) {
  const kafka = platform.kafka();
  const make = clickMaker(program);
  const good = Array.from({ length: GOOD }, () => make());
  const kinds = poison(make);
  const messages = good.map(({ message }) => message);
  Object.values(kinds).forEach((message, i) => messages.splice(700 * (i + 1), 0, message));
  const [before, exitsBefore] = [(await kafka.readAll(DLQ)).length, exits.length];
  let worstS = 0;
  const measuring = setInterval(() => void oldest(platform).then((seconds) => (worstS = Math.max(worstS, seconds))), 200);
  await kafka.produce(TOPIC, messages, PER_SECOND);
  const ids = good.map(({ clickId }) => clickId);
  const stored = async () =>
    (await platform.query('attribution', 'SELECT count(*)::int AS n FROM clicks WHERE filled AND click_id = ANY ($1)', [ids]))[0].n;
  const applied = await waitFor('all good clicks are stored', async () => (await stored()) === GOOD, 120_000, 200).catch(() => false);
  const letters = await waitFor('the dead letters', async () => {
    const found = await kafka.readAll(DLQ);
    return found.length - before >= 12 && found;
  }).catch(() => kafka.readAll(DLQ));
  clearInterval(measuring);
  check(
    `12 kinds of poison among ${GOOD} good clicks leave exactly 12 dead letters, all good ones take effect once`,
    applied && letters.length - before === 12,
    `${letters.length - before} dead letters, ${await stored()} clicks`,
  );
  check(`no partition was held up for more than ${DELAY_MAX_S} s`, worstS <= DELAY_MAX_S, `${worstS.toFixed(1)} s at worst`);
  check('no process ended on it', exits.length === exitsBefore);
  await verifyReplayOfDeadLetter(platform, letters, check);
}

/** The age of the oldest message that attribution has yet to handle, over all partitions of clicks. */
async function oldest(platform) {
  const texts = await Promise.all(
    platform.urlsOf('attribution').map((url) =>
      fetch(`${url}/metrics`).then(
        (r) => r.text(),
        () => '',
      ),
    ),
  );
  const ages = texts.flatMap((text) =>
    [...text.matchAll(/^baton_consumer_oldest_unprocessed_seconds\{([^}]*)\} (\S+)/gm)]
      .filter(([, labels]) => labels.includes(`topic="${TOPIC}"`))
      .map(([, , seconds]) => Number(seconds)),
  );
  return Math.max(0, ...ages);
}

/** The click with the impossible date, mended by hand on the command line, is a click like any other. */
async function verifyReplayOfDeadLetter(platform, letters, check) {
  const letter = letters.find(({ value }) => value?.includes('2026-02-31'));
  if (!letter) return check('a dead letter that is mended and replayed takes effect', false, 'there was none to mend');
  const { clickId } = JSON.parse(letter.value.toString());
  const occurredAt = new Date(Buffer.from(clickId, 'base64url').readUIntBE(6, 6)).toISOString();
  const origin = ['topic', 'partition', 'offset'].map((part) => letter.headers[`baton_dlq_${part}`].toString()).join('/');
  const env = { ...process.env, ...platform.stores };
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [
      join(ROOT, 'apps/cli/dist/main.js'),
      'dlq',
      'replay',
      '--group',
      'attribution',
      '--topic',
      TOPIC,
      '--id',
      origin,
      '--set',
      `occurredAt=${occurredAt}`,
      '--header',
      `ce_time=${occurredAt}`,
    ],
    { env },
  ).catch((error) => ({ stdout: `${error.stdout}${error.stderr}` }));
  const effective = await waitFor(
    'the mended click',
    async () => (await platform.query('attribution', 'SELECT FROM clicks WHERE filled AND click_id = $1', [clickId])).length === 1,
    20_000,
  ).catch(() => false);
  check('a dead letter that is mended and replayed takes effect', effective, stdout.trim().split('\n').at(-1));
}
