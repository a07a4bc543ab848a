import { REASON_CODES, TOPICS } from '@baton/contracts';
import { counter } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import {
  describedBy,
  eventually,
  like,
  ownPrefix,
  type Schema,
  sendAll,
  sendStrange,
  stores,
  type StrangeAnswer,
  type StrangeRequest,
  strangeInstant,
  strangeRequests,
  strangeWord,
} from '@baton/testing';
import fc from 'fast-check';
import { Agent } from 'node:http';
import { fill, spoken, wordsOf } from './doors/wire.world';
import { type Account, openWorld, type World } from './ingest.world';

/** So many a route; `BATON_STRANGE=10000` for the full run, `BATON_STRANGE_SEED` to play one again. */
const COUNT = Number(process.env['BATON_STRANGE'] ?? 400);
const SEED = Number(process.env['BATON_STRANGE_SEED'] ?? Date.now() % 2 ** 31);
const WIDTH = 48;

jest.setTimeout(60_000 + COUNT * 100);

interface Target {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  /** The native answer of a dialect is no problem document. */
  readonly isDoor: boolean;
  readonly requests: fc.Arbitrary<StrangeRequest>;
}

describe(`strange bodies, ${COUNT} a route, seed ${SEED}`, () => {
  const prefix = ownPrefix();
  const agent = new Agent({ keepAlive: true, maxSockets: WIDTH });
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  let targets: Target[];

  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(21);
    await eventually(() => world.knows(acme.key), 60_000);
    targets = [...(await ownTargets(world, acme)), ...doorTargets(acme)];
  }, 120_000);
  afterAll(async () => {
    agent.destroy();
    await world?.close();
    await db?.drop();
  }, 60_000);

  it('of every route are taken or refused with every reason, never our fault, and stored wholly or not at all', async () => {
    const problems: string[] = [];
    for (const target of targets) {
      const before = await tally(world);
      const requests = fc.sample(target.requests, { numRuns: COUNT, seed: SEED });
      const headers: Record<string, string> = target.isDoor ? {} : { authorization: `Bearer ${acme.key}` };
      const url = `${world.replicas[0]?.url}${target.path}`;
      const answers = await sendAll(requests, WIDTH, (request) =>
        sendStrange(agent, target.method, url, { ...request, headers: { ...headers, ...request.headers } }),
      );
      const wrong = answers.flatMap((answer, i) => {
        const why = faultOf(answer, target);
        return why === null
          ? []
          : [`${target.name}: ${why}: ${shown(requests[i] as StrangeRequest)} -> ${answer.status} ${answer.text.slice(0, 200)}`];
      });
      problems.push(...wrong.slice(0, 3));
      problems.push(...(await unbalanced(world, target, answers, before)));
      // Both happened, or the bodies were not strange, or too strange. What needs more than a body may have none that is right.
      const [good, bad] = [answers.some(({ status }) => status < 300), answers.some(({ status }) => status >= 400)];
      if (!bad || (!good && SINGLE.includes(target.path))) problems.push(`${target.name}: good ${good}, bad ${bad}: ${reasons(answers)}`);
    }
    expect(targets.map(({ path }) => path)).toEqual(expect.arrayContaining(['/v1/conversions', '/v1/reversals', '/v1/identities']));
    expect(problems).toEqual([]);
  });
});

/** Every POST of the service's own description, those that are added later too. */
async function ownTargets({ replicas }: World, account: Account): Promise<Target[]> {
  const document = (await (await fetch(`${replicas[0]?.url}/openapi.json`)).json()) as OpenApi;
  const known = knownFields(account);
  return Object.entries(document.paths).flatMap(([path, operations]) => {
    if (!operations.post) return [];
    const content = operations.post.requestBody?.content ?? {};
    // An upload takes the same bodies, a line each.
    const type = 'application/x-ndjson' in content ? 'application/x-ndjson' : 'application/json';
    const schema = content[type]?.schema ?? {};
    const bodies = describedBy(schema, { schemas: document.components?.schemas ?? {}, known });
    return [
      {
        name: `POST ${path}`,
        method: 'POST',
        path: path.replace(/\{[^}]*\}/g, 'strange'),
        isDoor: false,
        requests: strangeRequests(bodies).map((request) => as(type, request)),
      },
    ];
  });
}

const as = (type: string, request: StrangeRequest): StrangeRequest =>
  request.headers['content-type'] === 'application/json' ? { ...request, headers: { ...request.headers, 'content-type': type } } : request;

interface OpenApi {
  readonly paths: Record<string, { post?: { requestBody?: { content?: Record<string, { schema?: Schema }> } } }>;
  readonly components?: { readonly schemas?: Record<string, Schema> };
}

/** What makes a body right: our own tenant's click and program, money, and ids that mostly are new. */
const knownFields = ({ click, program }: Account): Record<string, fc.Arbitrary<unknown>> => ({
  external_id: mostly(fc.uuid(), fc.constantFrom('o-1', 'o-2', 'o-3'), strangeWord),
  click_id: mostly(fc.constant(click), strangeWord),
  customer_id: mostly(fc.constantFrom('c1', 'c2'), strangeWord),
  program_id: mostly(fc.constant(program), fc.uuid()),
  email: mostly(fc.constant('jane@example.org'), strangeWord),
  currency: mostly(fc.constant('EUR'), fc.constantFrom('eur', 'XXX', 'EURO', '')),
  amount_minor: mostly(fc.nat(1_000_000), fc.constantFrom(-1, 0.5, 2 ** 53, '100', 1e21)),
  occurred_at: mostly(fc.constant(new Date(Date.now() - 60_000).toISOString()), strangeInstant),
  reversal_id: mostly(fc.uuid(), strangeWord),
});

const mostly = (usual: fc.Arbitrary<unknown>, ...other: fc.Arbitrary<unknown>[]): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 15 * other.length, arbitrary: usual }, ...other);

/** Every route of every dialect that is not only read: what its golden requests hold is bent. */
function doorTargets(account: Account): Target[] {
  return spoken().flatMap(({ name: door, cases }) => {
    const goldens = fill(cases, wordsOf(account)).flatMap(({ request }) => (request.method === 'GET' ? [] : [request]));
    const routes = [...new Set(goldens.map(({ method, path }) => `${method} ${path}`))];
    return routes.map((route) => {
      const own = goldens.filter(({ method, path }) => `${method} ${path}` === route);
      const [method, path] = route.split(' ') as [string, string];
      const requests = own.map(({ headers = {}, body }) =>
        strangeRequests(like(body)).map((request) => ({ ...request, headers: { ...request.headers, ...usual(headers, request) } })),
      );
      return { name: `${door}: ${route}`, method, path, isDoor: true, requests: fc.oneof(...requests) };
    });
  });
}

/** The golden headers, except where the strange request is about one of them. */
const usual = (golden: Readonly<Record<string, string>>, { headers }: StrangeRequest): Record<string, string> =>
  Object.fromEntries(
    Object.entries(golden).filter(
      ([name]) => headers[name.toLowerCase()] === undefined || headers[name.toLowerCase()] === 'application/json',
    ),
  );

/** What is wrong with an answer, or null. */
function faultOf({ status, headers, text }: StrangeAnswer, { isDoor }: Target): string | null {
  if (status === 0) return 'the connection broke';
  if (status >= 500) return 'our fault';
  const reason = headers['baton-reason'];
  if (isDoor && (headers['baton-verdict'] === undefined || reason === undefined)) return 'no verdict or no reason in the headers';
  if (reason !== undefined && reason !== 'mixed' && !(reason in REASON_CODES)) return `the reason ${reason} is not on the list`;
  if (isDoor || status < 300) return null;
  if (!headers['content-type']?.startsWith('application/problem+json')) return 'not a problem document';
  const { code } = JSON.parse(text) as { code?: string };
  return code !== undefined && code in REASON_CODES && code === reason ? null : `the code ${code} beside the reason ${reason}`;
}

interface Tally {
  readonly facts: number;
  readonly events: number;
  /** Accepted too, and told as events alone: a page that was seen is no fact. */
  readonly touches: number;
  readonly halves: number;
  readonly received: number;
  readonly answered: number;
  readonly accepted: number;
}

async function tally(world: World): Promise<Tally> {
  const [row] = await world.rows(
    `SELECT (SELECT count(*) FROM facts WHERE request_id IS NULL)::int AS facts,
       -- A request for several is a fact without an event of its own; the reversals that it made are facts with one that nobody sent.
       ((SELECT count(*) FROM outbox WHERE topic <> $1) + (SELECT count(*) FROM facts WHERE kind = 'reversals') - (SELECT count(*) FROM facts WHERE request_id IS NOT NULL))::int AS events,
       (SELECT count(*) FROM outbox WHERE topic = $1)::int AS touches,
       (SELECT count(*) FROM facts WHERE answer IS NULL OR data IS NULL OR answer->>'receipt_id' IS DISTINCT FROM receipt_id::text)::int AS halves`,
    TOPICS.touches,
  );
  const sum = async (name: string, of = (_labels: Record<string, unknown>): boolean => true): Promise<number> =>
    (await counter(name, '').get()).values.reduce((all, { value, labels }) => (of(labels) ? all + value : all), 0);
  return {
    ...(row as { facts: number; events: number; touches: number; halves: number }),
    received: await sum('baton_ingest_received_total'),
    answered: await sum('baton_ingest_answered_total'),
    accepted: await sum('baton_ingest_answered_total', ({ verdict }) => verdict === 'accepted'),
  };
}

/** Every accepted fact is a row and an event, and nothing else is; every fact that came was answered. */
async function unbalanced(
  world: World,
  { name, path, isDoor }: Target,
  answers: readonly StrangeAnswer[],
  before: Tally,
): Promise<string[]> {
  const after = await tally(world);
  const gained = (what: keyof Tally): number => after[what] - before[what];
  const counts = JSON.stringify({ before, after });
  const created = answers.filter(({ headers, status }) => status < 300 && headers['baton-verdict'] === 'accepted').length;
  const problems = [
    gained('facts') + gained('touches') === gained('accepted') || 'facts stored are not those accepted',
    gained('facts') === gained('events') || 'a fact without its event, or an event without its fact',
    after.halves === 0 || 'a fact was stored by halves',
    gained('received') === gained('answered') || 'received is not answered',
    isDoor || !SINGLE.includes(path) || created === gained('facts') || `${created} answers said accepted`,
  ];
  return problems.flatMap((problem) => (problem === true ? [] : [`${name}: ${problem}: ${counts}`]));
}

const reasons = (answers: readonly StrangeAnswer[]): string => {
  const counts: Record<string, number> = {};
  for (const { headers } of answers) counts[headers['baton-reason'] ?? 'none'] = (counts[headers['baton-reason'] ?? 'none'] ?? 0) + 1;
  return JSON.stringify(counts);
};

/** One request, one fact. */
const SINGLE = ['/v1/conversions', '/v1/reversals', '/v1/identities'];

const shown = ({ body, headers, query }: StrangeRequest): string =>
  `${JSON.stringify(headers)} ${query} ${JSON.stringify(body.toString('latin1').slice(0, 300))}`;
