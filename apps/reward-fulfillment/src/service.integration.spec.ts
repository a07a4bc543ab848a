import {
  type ApiKeyData,
  ApiKeyChanged,
  emit,
  encode,
  type Outgoing,
  PlanChanged,
  ProgramChanged,
  type RewardChangedData,
  VerdictGiven,
  type VerdictGivenData,
} from '@baton/contracts';
import { BoundedProducer, connectKafka, createLog, createTopics, type KafkaConnection, mintApiKey, withAdmin } from '@baton/platform';
import { type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { LedgerFixture } from './specs/ledger.fixture';
import { aCredit } from './specs/samples';

jest.setTimeout(60_000);

const PARTNER = aCredit().partnerId;
const GROUP = 'reward-fulfillment';
const prefix = ownPrefix();
const log = createLog('test', 'silent');
const ledger = new LedgerFixture();
let db: TestDatabase;
let kafka: KafkaConnection;
let producer: BoundedProducer;
const replicas: ChildProcess[] = [];

interface Replica {
  readonly process: ChildProcess;
  readonly url: string;
}

/** The service as it is shipped: a process of its own with nothing but its environment. */
async function startReplica(): Promise<Replica> {
  const child = spawn(process.execPath, [join(__dirname, '../dist/main.js')], {
    env: {
      ...process.env,
      PORT: '0',
      LOG_LEVEL: 'info',
      KAFKA_BROKERS: stores().kafkaBrokers.join(','),
      TOPIC_PREFIX: prefix,
      DATABASE_URL: db.worker,
      DATABASE_API_URL: db.api,
      SWEEP_EVERY_MS: '100',
      INVARIANTS_EVERY_MS: '1000',
      BATCH_MAX: '20',
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)));
  child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-20_000)));
  replicas.push(child);
  const url = await eventually(() => {
    const started = said.split('\n').find((line) => line.includes('"msg":"started"'));
    if (!started) throw new Error(`not started: ${said.slice(-2_000)}`);
    return (JSON.parse(started) as { url: string }).url;
  }, 20_000);
  return { process: child, url };
}

async function stop(replica: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (replica.exitCode !== null || replica.signalCode !== null) return replica.exitCode;
  const ended = new Promise<number | null>((resolve) => replica.once('exit', (code) => resolve(code)));
  replica.kill(signal);
  return ended;
}

beforeAll(async () => {
  execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-b', join(__dirname, '..')]);
  const { postgresAdminUrl, kafkaBrokers } = stores();
  db = await testDatabase('reward-fulfillment', { adminUrl: postgresAdminUrl, prefix });
  ledger.open(db);
  kafka = connectKafka({ brokers: kafkaBrokers, clientId: 'test', prefix, log });
  await createTopics(kafka);
  producer = new BoundedProducer({ kafka, deadlineMs: 15_000 });
}, 120_000);
afterAll(async () => {
  await Promise.all(replicas.map((replica) => stop(replica, 'SIGKILL')));
  await producer.close();
  await withAdmin(kafka, async (admin) =>
    admin.deleteTopics({ topics: (await admin.listTopics()).filter((topic) => topic.startsWith(prefix)) }),
  );
  await ledger.close();
  await db.drop();
}, 60_000);

const send = (events: readonly Outgoing[]): Promise<void> =>
  producer.send(events.map((event) => ({ topic: event.contract.topic, ...encode(event) })));

/** Every message of the group's topics was handled and its offset committed. */
const caughtUp = () =>
  eventually(
    () =>
      withAdmin(kafka, async (admin) => {
        const committed = await admin.fetchOffsets({ groupId: prefix + GROUP });
        for (const { topic, partitions } of committed) {
          for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
            const at = Number(partitions.find((p) => p.partition === partition)?.offset ?? -1);
            if (at < Number(high) && Number(high) > 0) throw new Error(`${topic}/${partition} is at ${at} of ${high}`);
          }
        }
        return committed.length > 0;
      }),
    60_000,
    250,
  );

function aKey(tenantId: string, scopes: ApiKeyData['scopes']) {
  const { text, digest } = mintApiKey(false);
  return { text, event: emit(ApiKeyChanged, { ...ApiKeyChanged.sample, id: randomUUID(), tenantId, digest, scopes }) };
}

const get = async (base: string, path: string, key?: string) => {
  const response = await fetch(base + path, { headers: key ? { authorization: `Bearer ${key}` } : {} });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
};

describe('two replicas on Kafka', () => {
  const t = ledger.tenant();
  const key = aKey(t.tenantId, ['rewards:read']);
  const foreign = aKey(randomUUID(), ['rewards:read']);
  const blind = aKey(t.tenantId, ['catalog:read']);
  const conversionIds = Array.from({ length: 120 }, () => randomUUID());
  const verdicts = (revision: number, net: number): VerdictGivenData[] =>
    conversionIds.map((conversionId, i) => t.verdict({ conversionId, externalId: `order-${i}`, revision, netAmountMinor: net }));
  let one: Replica;

  it('book everything once, though one of them leaves at its work and the terms come last', async () => {
    one = await startReplica();
    const two = await startReplica();
    for (const replica of [one, two]) await eventually(async () => (await fetch(`${replica.url}/readyz`)).status === 200, 30_000);
    await send([key.event, foreign.event, blind.event]);
    await send(verdicts(1, 12_000).map((v) => emit(VerdictGiven, v)));
    const left = stop(two.process, 'SIGTERM');
    const second = verdicts(2, 6_000);
    await send([...second, ...second.slice(0, 40), ...verdicts(1, 12_000).slice(0, 40)].map((v) => emit(VerdictGiven, v)));
    await send([emit(PlanChanged, t.plan()), emit(ProgramChanged, t.program({ holdDays: 0 }))]);
    expect(await left).toBe(0);
    await startReplica();
    await caughtUp();
    const expected = { [`partner:${PARTNER}:payable EUR`]: 120 * 600, [`program:${t.programId}:expense EUR`]: -120 * 600 };
    await eventually(async () => expect(await ledger.balances(t.tenantId)).toEqual(expected), 20_000);
    expect(await ledger.brokenInvariants()).toEqual([]);
    await eventually(async () => (await unsent()) === 0, 20_000);
    const newest = new Map<string, RewardChangedData>();
    for (const event of await ledger.events(t.tenantId)) {
      expect(event.sequence).toBe((newest.get(event.rewardId)?.sequence ?? 0) + 1);
      newest.set(event.rewardId, event);
    }
    expect([...newest.values()].map((event) => event.amountMinor)).toEqual(Array.from({ length: 120 }, () => 600));
  }, 120_000);

  it('keep the ledger as it is when every topic is read again from its beginning', async () => {
    const hash = await ledger.ledgerHash();
    const counted = (await ledger.events(t.tenantId)).length;
    await Promise.all(replicas.map((replica) => stop(replica, 'SIGTERM')));
    const reset = () =>
      withAdmin(kafka, async (admin) => {
        for (const { topic } of await admin.fetchOffsets({ groupId: prefix + GROUP }))
          await admin.resetOffsets({ groupId: prefix + GROUP, topic, earliest: true });
      });
    // The group takes a moment to see that nobody is left.
    await eventually(reset, 60_000, 500);
    one = await startReplica();
    await caughtUp();
    expect(await ledger.ledgerHash()).toBe(hash);
    expect(await ledger.events(t.tenantId)).toHaveLength(counted);
    expect(await ledger.brokenInvariants()).toEqual([]);
  }, 120_000);

  it('tell what is owed, to the credential’s tenant alone', async () => {
    const { status, body } = await get(one.url, '/v1/balances', key.text);
    expect(status).toBe(200);
    expect(body['balances']).toContainEqual({ account: `partner:${PARTNER}:payable`, currency: 'EUR', amount_minor: 72_000 });
    expect(body['balances']).toContainEqual({ account: `program:${t.programId}:expense`, currency: 'EUR', amount_minor: -72_000 });
    const ofPartner = (await get(one.url, `/v1/balances?partner_id=${PARTNER}`, key.text)).body['balances'] as { account: string }[];
    expect(ofPartner.map((balance) => balance.account)).toEqual([`partner:${PARTNER}:payable`]);
    expect((await get(one.url, '/v1/balances', foreign.text)).body).toEqual({ balances: [] });
  });

  it('trace a reward back to the click that earned it', async () => {
    const listed = await get(one.url, '/v1/rewards?external_id=order-7', key.text);
    const [reward] = listed.body['rewards'] as { id: string }[];
    const { status, body } = await get(one.url, `/v1/rewards/${reward?.id}`, key.text);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      state: 'payable',
      amount_minor: 600,
      plan_id: t.planId,
      plan_version: 1,
      partner_id: PARTNER,
      conversion: {
        id: conversionIds[7],
        external_id: 'order-7',
        net_amount_minor: 6_000,
        receipt_id: t.verdict().attribution.conversion.receiptId,
      },
      attribution: {
        revision: 2,
        credits: [{ click_id: aCredit().clickId, link_id: aCredit().linkId, partner_id: PARTNER, share: '1/1' }],
      },
      verdict: { decision: 'approved', reasons: [] },
    });
    for (const posting of body['postings'] as { entries: { amount_minor: number }[] }[])
      expect(posting.entries.reduce((sum, e) => sum + e.amount_minor, 0)).toBe(0);
    expect((await get(one.url, `/v1/rewards/${reward?.id}`, foreign.text)).status).toBe(404);
    expect((await get(one.url, `/v1/rewards?conversion_id=${conversionIds[7]}`, foreign.text)).body).toEqual({ rewards: [], next: null });
    expect((await get(one.url, '/v1/rewards/not-an-id', key.text)).status).toBe(404);
  });

  it('list rewards page by page', async () => {
    const ids: string[] = [];
    for (let after: unknown = ''; after !== null;) {
      const { body } = await get(one.url, `/v1/rewards?partner_id=${PARTNER}&limit=50${after ? `&after=${String(after)}` : ''}`, key.text);
      ids.push(...(body['rewards'] as { id: string }[]).map((r) => r.id));
      after = body['next'];
    }
    expect(new Set(ids).size).toBe(120);
    expect(ids).toHaveLength(120);
  });

  it('say what is wrong with a request', async () => {
    expect(await get(one.url, '/v1/rewards?limit=0&conversion_id=x', key.text)).toMatchObject({ status: 400, body: { code: 'malformed' } });
    expect(await get(one.url, '/v1/rewards', blind.text)).toMatchObject({ status: 403, body: { code: 'scope_missing' } });
    expect(await get(one.url, '/v1/rewards')).toMatchObject({ status: 401, body: { code: 'unauthorised' } });
  });

  it('measure the invariants', async () => {
    await eventually(async () => {
      const text = await (await fetch(`${one.url}/metrics`)).text();
      expect(text).toMatch(/baton_ledger_invariant_broken\{[^}]*I1_sum_per_currency_is_zero[^}]*\} 0/);
      expect(text).toMatch(/baton_rewards_awaiting_terms\{[^}]*\} 0/);
    });
  });

  it('stop in order when asked to', async () => {
    expect(await stop(one.process, 'SIGTERM')).toBe(0);
  }, 30_000);
});

const unsent = async (): Promise<number> => {
  const [row] = await ledger.admin.untenanted((tx) =>
    tx.$queryRawUnsafe<{ n: number }[]>('SELECT count(*)::int AS n FROM outbox WHERE published_at IS NULL'),
  );
  return row?.n ?? 0;
};
