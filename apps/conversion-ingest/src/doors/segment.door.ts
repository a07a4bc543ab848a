import { Problem } from '@baton/platform';
import type { Told } from '../intake';
import { credentialIn, type Door, type DoorAnswer, type DoorRequest, type DoorRoute, isPassing } from './door';
import { SETTINGS } from './segment/mapping';
import { factsOf, factsOfEach, type Message, MESSAGE_MAX_BYTES } from './segment/message';
import { isObject } from './shape';

const BATCH_MAX_BYTES = 500 * 1024;
/** What stands around a single message (its write key) takes some room of its own. */
const CALL_MAX_BYTES = MESSAGE_MAX_BYTES + 1024;

const routeOf = (type: string): DoorRoute => ({
  method: 'POST',
  path: `/v1/${type}`,
  scope: type === 'identify' || type === 'alias' ? 'identities:write' : 'conversions:write',
  bodyMaxBytes: type === 'batch' ? BATCH_MAX_BYTES : CALL_MAX_BYTES,
  keyOf,
  read: (request, settings, known) => {
    const { writeKey: _, ...said } = request.json();
    const reading = { settings, known, receivedAtMs: request.receivedAtMs, sentAt: said['sentAt'] };
    if (type !== 'batch') return factsOf({ ...said, type }, reading);
    if (!Array.isArray(said['batch'])) throw new Problem('malformed', 'A batch holds its messages as an array under "batch".');
    return factsOfEach(
      said['batch'].map((message: unknown) => merged(message, said['context'])),
      reading,
    );
  },
  answer: (told) => answer(told),
  refuse: (problem) => refuse(problem),
});

export const door: Door = {
  name: 'segment',
  speaks:
    'Segment’s and RudderStack’s HTTP tracking API, as their server SDKs call it; an API key is the write key. Tracked orders, refunds, sign-ups and leads by a mapping, identify and alias, pages as touches; screen and group mean nothing here.',
  isLoose: true,
  settings: SETTINGS,
  routes: ['track', 'identify', 'page', 'screen', 'group', 'alias', 'batch'].map(routeOf),
};

/** `writeKey:` as Basic, or in the body. */
function keyOf(request: DoorRequest): string | null {
  const named = credentialIn(request.headers['authorization'], 'user');
  if (named !== null) return named;
  try {
    const { writeKey } = request.json();
    return typeof writeKey === 'string' ? writeKey : null;
  } catch {
    return null;
  }
}

/** What stands around a batch counts for each of its messages. */
const merged = (message: unknown, context: unknown): unknown =>
  isObject(message) && isObject(context)
    ? { ...message, context: { ...context, ...(message['context'] as Message | undefined) } }
    : message;

/** Segment says no more than this: what became of the facts stands in our headers, the log and the receipts. */
function answer(told: readonly Told[]): DoorAnswer {
  const passing = told.find((one) => one.kind === 'rejected' && isPassing(one.problem.code));
  return passing?.kind === 'rejected' ? refuse(passing.problem) : { status: 200, body: { success: true } };
}

/** Clients send again after 429 and 5xx alone. */
function refuse({ code, status, detail }: Problem): DoorAnswer {
  const native = isPassing(code) || code === 'unauthorised' || code === 'scope_missing' ? status : 400;
  return { status: native, body: { success: false, code, message: detail } };
}
