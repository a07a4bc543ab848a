// What must hold for every click id that ever stood in a Location header.
import { call, waitFor } from './api.mjs';
import { formsOf, shown } from './chaos-topic.mjs';

const HEAL_MS = 120_000;
const TOPIC = 'baton.clicks.v1';
const GROUP = 'attribution';

/** Waits until everything has arrived, at most 120 s from now, and holds what arrived against the visitors' journal. Gives how many messages were repeats. */
export async function verifyIds(world, when = '') {
  const { visitors, checks, kafka, platform } = world;
  const issued = new Map(visitors.visits.filter(({ clickId }) => clickId).map((visit) => [visit.clickId, visit]));
  const started = Date.now();
  const state = {};
  const arrived = await waitFor('everything has arrived', () => isQuiet(world, issued.size, state), HEAL_MS, 500).catch(() => false);
  const seconds = Math.round((Date.now() - started) / 1000);
  checks.add(`${when}within 120 s no spool has a backlog and attribution has no lag`, arrived, `${JSON.stringify(state)}, ${seconds} s`);
  const given = visitors.visits.filter(({ clickId }) => clickId).length;
  checks.add(`${when}no id was given twice`, given === issued.size, `${given} ids`);
  const found = formsOf(await kafka.readAll(TOPIC));
  verifyTopic(issued, found, visitors, (what, ...rest) => checks.add(when + what, ...rest));
  const rows = await platform.query('attribution', `SELECT click_id, sub_ids->>'sid' AS sid FROM clicks WHERE filled`);
  const stored = new Map();
  for (const { click_id: id, sid } of rows) stored.set(id, [...(stored.get(id) ?? []), sid]);
  const wrong = [...issued].filter(([id, { number }]) => stored.get(id)?.join() !== `v${number}`);
  checks.add(
    `${when}each id took effect exactly once, as its own visit`,
    wrong.length === 0,
    shown(wrong, `${rows.length} clicks in attribution`),
  );
  const letters = await kafka.deadLetters();
  checks.add(`${when}no dead letters`, letters === 0, String(letters));
  return [...found.values()].reduce((sum, { times }) => sum + times - 1, 0);
}

async function isQuiet({ edges, kafka, platform }, issued, state) {
  const backlogs = await Promise.all(edges.map(({ url }) => call(`${url}/readyz`)));
  state.backlogBytes = backlogs.map(({ body }) => body?.spool_backlog_bytes ?? null);
  state.lag = (await kafka.lag([GROUP]))[GROUP];
  // Before the first commit of a partition its lag cannot be seen: what is stored can.
  const [{ n }] = await platform.query('attribution', 'SELECT count(*)::int AS n FROM clicks WHERE filled');
  state.missing = Math.max(0, issued - n);
  return state.backlogBytes.every((bytes) => bytes === 0) && state.lag === 0 && state.missing === 0;
}

function verifyTopic(issued, found, visitors, check) {
  const missing = [...issued.keys()].filter((id) => !found.has(id));
  const times = [...found.values()].reduce((sum, entry) => sum + entry.times, 0);
  check(
    `each id is in ${TOPIC} at least once`,
    missing.length === 0 && issued.size > 0,
    shown(missing, `${times} messages of ${found.size} ids`),
  );
  const changed = [...found].filter(([, { forms }]) => forms.size !== 1);
  check('always with the same bytes', changed.length === 0, shown(changed, `${times - found.size} were sent again`));
  const astray = [...issued].filter(([id, visit]) => {
    const data = found.get(id)?.data;
    return data && (data.clickId !== id || data.linkId !== visit.linkId || data.subIds.sid !== `v${visit.number}`);
  });
  check('each says the link and the visit that it was given for', astray.length === 0, shown(astray));
  // Nobody was given these ids: the answer was lost on its way, or went without an id because the disk took too long.
  const unseen = [...found].filter(([id]) => !issued.has(id));
  const visits = unseen.map(([, { data }]) => visitors.visits[Number(data.subIds.sid?.slice(1))]);
  const explained = visits.every((visit) => visit && ['lost', 'plain'].includes(visit.outcome)) && new Set(visits).size === visits.length;
  check('any other id is of one visit whose answer died or bore none', explained, `${unseen.length}`);
}
