// What must be refused: an id that nobody was given, a link that was disabled.
import { call, waitFor } from './api.mjs';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** An id in which any one character is another is nobody's. */
export async function forgedIds(world) {
  const { visitors, checks, program, platform, edges, random } = world;
  const { clickId } = await visitors.visit(edges[0].url);
  const convert = async (id, externalId) =>
    call(`${platform.urls['conversion-ingest']}/v1/conversions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${program.apiKey}` },
      body: { external_id: externalId, type: 'sale', amount_minor: 1_000, currency: 'EUR', click_id: id },
    });
  const believed = [];
  let tried = 0;
  for (let at = 0; at < clickId.length; at++) {
    const others = [...ALPHABET].filter((letter) => letter !== clickId[at]);
    for (let i = 0; i < 3; i++) {
      const [letter] = others.splice(Math.floor(random() * others.length), 1);
      const altered = clickId.slice(0, at) + letter + clickId.slice(at + 1);
      const answer = await convert(altered, `forged-${at}-${i}`);
      tried += 1;
      if (answer.status !== 422 || answer.headers.get('baton-reason') !== 'click_forged') believed.push(`${at}${letter}: ${answer.status}`);
    }
  }
  checks.add(
    'an id with one character altered is refused as click_forged',
    believed.length === 0,
    believed.slice(0, 3).join() || `${tried} ids`,
  );
  const genuine = await convert(clickId, 'genuine');
  checks.add('the same id unaltered is accepted', genuine.status === 201, String(genuine.status));
}

const DISABLED_MAX_S = 60;

/** What was disabled is obeyed everywhere. */
export async function disabledLink({ visitors, checks, program, edges }) {
  const link = program.links.at(-1);
  const started = Date.now();
  await program.admin.post(`/v1/links/${link.id}/state`, { state: 'disabled' });
  const seconds = await Promise.all(
    edges.map(({ name, url }) =>
      waitFor(`${name} refuses it`, async () => (await visitors.visit(url, link)).status === 404, DISABLED_MAX_S * 1_000).then(
        () => (Date.now() - started) / 1000,
        () => Infinity,
      ),
    ),
  );
  checks.add(
    `a disabled link is refused by every replica within ${DISABLED_MAX_S} s`,
    seconds.every((s) => s <= DISABLED_MAX_S),
    seconds.map((s) => `${s.toFixed(1)} s`).join(', '),
  );
}
