import {
  AttributionRevised,
  type AttributionRevisedData,
  ConversionReceived,
  type ConversionReceivedData,
  emit,
  encode,
  nameId,
  type Outgoing,
  parse,
  type PartnerData,
  type Received,
} from '@baton/contracts';
import {
  BoundedProducer,
  connectKafka,
  createLog,
  type Database,
  openDatabase,
  type TransactingClient,
  writeOutbox,
} from '@baton/platform';
import { eventually, stores } from '@baton/testing';
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { Client } from 'pg';
import type { CatalogTx } from './catalog.store';
import { enrolmentRoutes } from './enrolment.routes';
import { PrismaClient } from './generated/client';
import { LinkMint } from './link-mint';
import { type Call, furnished, type Harness, PUBLIC_URL, startHarness } from './testing';

const log = createLog('test', 'silent');
const at = (minute: number): string => new Date(Date.UTC(2026, 2, 1, 12, minute)).toISOString();

jest.setTimeout(120_000);

describe('customers who convert', () => {
  let harness: Harness;
  let admin: Client;
  let producer: BoundedProducer;
  const replicas: Database<CatalogTx>[] = [];

  beforeAll(async () => {
    harness = await startHarness(2);
    admin = new Client({ connectionString: harness.db.adminUrl });
    await admin.connect();
    producer = new BoundedProducer({
      kafka: connectKafka({ brokers: stores().kafkaBrokers, clientId: 'spec', prefix: harness.prefix, log }),
    });
    for (let i = 0; i < 2; i++)
      replicas.push(
        openDatabase<CatalogTx>({
          url: harness.db.worker,
          poolMax: 6,
          log,
          createClient: (adapter) => new PrismaClient({ adapter }) as unknown as TransactingClient<CatalogTx>,
        }),
      );
  });
  afterAll(async () => {
    for (const replica of replicas) await replica.close();
    await producer?.close();
    await admin?.end();
    await harness?.stop();
  });

  interface Account {
    readonly tenantId: string;
    readonly programId: string;
    /** A professional one. */
    readonly partnerId: string;
    readonly call: Call;
  }

  const enrolling = async (): Promise<Account> => {
    const account = await furnished(harness);
    const { body } = await account.call('POST', '/v1/programs', {
      name: 'Friends',
      destination_hosts: ['shop.example'],
      enrol_customers: true,
    });
    return { ...account, programId: body.id as string };
  };
  const conversion = (
    { tenantId, programId }: Account,
    name: string,
    customerId: string | null,
    more: Partial<ConversionReceivedData> = {},
  ) =>
    emit(ConversionReceived, {
      ...ConversionReceived.sample,
      tenantId,
      programId,
      conversionId: nameId(tenantId, name),
      externalId: name,
      customerId,
      occurredAt: at(0),
      ...more,
    });
  const attribution = (
    account: Account,
    name: string,
    partnerId: string | null,
    revision = 1,
    more: Partial<AttributionRevisedData> = {},
  ) =>
    emit(AttributionRevised, {
      ...AttributionRevised.sample,
      tenantId: account.tenantId,
      programId: account.programId,
      conversionId: nameId(account.tenantId, name),
      revision,
      ...(partnerId === null
        ? { outcome: 'unattributed', reason: 'no_touch', credits: [] }
        : { credits: AttributionRevised.sample.credits.map((credit) => ({ ...credit, partnerId, programId: account.programId })) }),
      ...more,
    });

  const publish = (events: readonly Outgoing[]): Promise<void> =>
    producer.send(
      events.map((event) => ({ topic: event.contract.topic, ...encode(event) })),
      20_000,
    );
  /** As the consumer of one replica does. */
  const deliver = (replica: number, events: readonly Outgoing[]): Promise<number> => {
    const routes = enrolmentRoutes({ mint: new LinkMint(PUBLIC_URL), now: () => new Date(), log });
    const received = events.map((event): Received => {
      const { key, value, headers } = encode(event);
      return parse(event.contract.topic, { key, value: Buffer.from(value), headers });
    });
    return (replicas[replica] as Database<CatalogTx>).transaction(
      [...new Set(events.map(({ data }) => data.tenantId))].sort(),
      async (tx) => {
        const outgoing: Outgoing[] = [];
        for (const route of routes) {
          const own = received.filter(({ contract }) => contract.ceType === route.contract.ceType);
          if (own.length > 0) outgoing.push(...(await route.handle(own, tx)));
        }
        await writeOutbox(tx, outgoing);
        return outgoing.length;
      },
    );
  };
  const find = ({ call, programId }: Account, customerId: string) =>
    call('GET', `/v1/referrers?customer_id=${encodeURIComponent(customerId)}&program_id=${programId}`);
  const count = async (table: string, { tenantId }: Account, where = 'true'): Promise<number> =>
    (await admin.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${table} WHERE tenant_id = $1 AND ${where}`, [tenantId])).rows[0]
      ?.n ?? 0;
  const outboxVersions = async (): Promise<number[]> =>
    (
      await admin.query<{ version: number }>(
        `SELECT (value::jsonb->>'catalogVersion')::int AS version FROM outbox WHERE topic = 'baton.catalog.v1' ORDER BY id`,
      )
    ).rows.map(({ version }) => version);

  it('get a share link within moments, which anybody can ask for', async () => {
    const account = await enrolling();
    expect(await find(account, 'zoë & co')).toMatchObject({
      status: 404,
      body: { code: 'not_found', detail: expect.stringContaining('POST /v1/referrers') },
    });
    await publish([conversion(account, 'signup-1', 'zoë & co', { type: 'signup', pendingVerification: true })]);
    const found = await eventually(async () => {
      const answer = await find(account, 'zoë & co');
      expect(answer.status).toBe(200);
      return answer.body;
    }, 20_000);
    expect(found).toMatchObject({
      share_url: expect.stringMatching(/^https:\/\/go\.example\/r\/.{8}$/),
      partner: { kind: 'customer', customer_id: 'zoë & co', referred_by: null, referral_depth: 0, version: 1 },
      link: { program_id: account.programId, partner_id: found.partner.id, destination: 'https://shop.example/' },
    });
    expect(found.partner.key).toMatch(/^c-\w{16}$/);
    const again = await account.call('POST', '/v1/referrers', { customer_id: 'zoë & co', program_id: account.programId });
    expect(again).toEqual({ status: 200, body: found });
    expect((await find({ ...account, programId: randomUUID() }, 'zoë & co')).status).toBe(404);
    const other = await enrolling();
    expect((await find({ ...other, programId: account.programId }, 'zoë & co')).status).toBe(404);
  });

  it.each([
    ['no customer', 'customer_id=&program_id=22222222-2222-4222-8222-222222222222'],
    ['no program', 'customer_id=a'],
    ['a program that is no id', 'customer_id=a&program_id=spring'],
    ['a customer that cannot be', 'customer_id=%00&program_id=22222222-2222-4222-8222-222222222222'],
  ])('are asked for by %s in vain', async (_name, query) => {
    const { call } = await furnished(harness);
    expect(await call('GET', `/v1/referrers?${query}`)).toMatchObject({ status: 400, body: { code: 'malformed' } });
  });

  it('are enrolled once, by two replicas at once, whatever comes twice: one partner and one link each', async () => {
    const account = await enrolling();
    const customers = Array.from({ length: 20 }, (_, i) => `customer-${i}`);
    const facts = customers.flatMap((customer, i) => [
      conversion(account, `a${i}`, customer),
      conversion(account, `b${i}`, customer, { occurredAt: at(1) }),
    ]);
    const batches = [facts, [...facts].reverse(), facts.slice(10), facts];
    await Promise.all([
      ...batches.map((batch, i) => deliver(i % 2, batch)),
      ...customers
        .slice(0, 5)
        .map((customer_id, i) =>
          harness.operator(account.tenantId, i % 2)('POST', '/v1/referrers', { customer_id, program_id: account.programId }),
        ),
    ]);
    expect(await count('partners', account, `kind = 'customer'`)).toBe(20);
    expect(await count('links', account, 'referral')).toBe(20);
    const versions = await outboxVersions();
    expect(versions).toEqual(Array.from({ length: versions.length }, (_, i) => i + 1));
    expect(await deliver(0, facts)).toBe(0);
  });

  it('are not enrolled in test mode, without a customer, by a program that does not, or from before it did', async () => {
    const account = await enrolling();
    const plain = await furnished(harness);
    const later = await account.call('POST', '/v1/programs', { name: 'Later', destination_hosts: ['shop.example'] });
    expect(later.body.enrol_customers).toBe(false);
    const begun = await account.call('POST', `/v1/programs/${later.body.id}/versions`, { enrol_customers: true });
    expect(begun.body.enrol_customers).toBe(true);
    const before = { ...account, programId: later.body.id as string };
    const testMode = AttributionRevised.sample.conversion;
    await deliver(0, [
      conversion(account, 'test', 'k1', { test: true }),
      conversion(account, 'nobody', null),
      conversion(plain, 'plain', 'k1'),
      conversion(before, 'before', 'k1', { occurredAt: '2026-01-01T00:00:00.000Z' }),
      attribution(account, 'test', null, 1, { conversion: { ...testMode, test: true } }),
    ]);
    for (const one of [account, plain]) expect(await count('partners', one, `kind = 'customer'`)).toBe(0);
    expect(await count('referrals', account, `customer_id IS NULL`)).toBe(0);
    await deliver(0, [conversion(before, 'after', 'k1', { occurredAt: begun.body.valid_from as string })]);
    expect((await find(before, 'k1')).status).toBe(200);
    expect((await find(account, 'k1')).status).toBe(404);
  });

  it('are enrolled by the program of the click, where the conversion did not tell one', async () => {
    const account = await enrolling();
    const open = { ...account, programId: null as never };
    await deliver(0, [conversion(open, 'o1', 'k1')]);
    expect((await find(account, 'k1')).status).toBe(404);
    await deliver(1, [attribution(account, 'o1', account.partnerId)]);
    expect((await find(account, 'k1')).body.partner).toMatchObject({ referred_by: null, referral_depth: 0 });
  });

  const refer = async (account: Account, customerId: string) =>
    (await account.call('POST', '/v1/referrers', { customer_id: customerId, program_id: account.programId })).body.partner.id as string;

  it('know by whose link they came, and how deep: 0, 1, 2; also where the attribution comes later, or first', async () => {
    const account = await enrolling();
    await deliver(0, [conversion(account, 'a', 'A'), attribution(account, 'a', account.partnerId)]);
    const a = (await find(account, 'A')).body.partner;
    expect(a).toMatchObject({ referred_by: null, referral_depth: 0 });
    await deliver(0, [conversion(account, 'b', 'B')]);
    await deliver(1, [attribution(account, 'b', a.id)]);
    const b = (await find(account, 'B')).body.partner;
    expect(b).toMatchObject({ referred_by: a.id, referral_depth: 1, version: 2 });
    await deliver(1, [attribution(account, 'c', b.id)]);
    await deliver(0, [conversion(account, 'c', 'C')]);
    const c = (await find(account, 'C')).body.partner;
    expect(c).toMatchObject({ referred_by: b.id, referral_depth: 2 });
    const [newest] = (
      await admin.query<{ data: PartnerData }>(
        `SELECT value::jsonb AS data FROM outbox WHERE key LIKE '%:partner:' || $1 ORDER BY id DESC LIMIT 1`,
        [c.id],
      )
    ).rows;
    expect(newest?.data).toMatchObject({ referredBy: b.id, referralDepth: 2, version: c.version });
    // What is not newer, and what is about a later conversion, moves nobody.
    await deliver(0, [
      attribution(account, 'c', null),
      conversion(account, 'c2', 'C', { occurredAt: at(5) }),
      attribution(account, 'c2', a.id),
    ]);
    expect((await find(account, 'C')).body.partner).toEqual(c);
    // A revision does, and who stands below moves along.
    await deliver(0, [attribution(account, 'b', null, 2)]);
    expect((await find(account, 'B')).body.partner).toMatchObject({ referred_by: null, referral_depth: 0, version: 3 });
    expect((await find(account, 'C')).body.partner).toMatchObject({ referred_by: b.id, referral_depth: 1, version: c.version + 1 });
  });

  it('never refer themselves, nor one another in a ring', async () => {
    const account = await enrolling();
    const [a, b, c] = [await refer(account, 'A'), await refer(account, 'B'), await refer(account, 'C')];
    await deliver(0, [
      conversion(account, 'a', 'A'),
      conversion(account, 'b', 'B'),
      conversion(account, 'c', 'C'),
      conversion(account, 'd', 'D'),
    ]);
    const own = (await find(account, 'D')).body.partner.id as string;
    await Promise.all([
      deliver(0, [attribution(account, 'b', a), attribution(account, 'd', own)]),
      deliver(1, [attribution(account, 'a', c)]),
      deliver(0, [attribution(account, 'c', b)]),
    ]);
    const above = new Map(
      (
        await admin.query<{ id: string; up: string | null }>(`SELECT id, referred_by AS up FROM partners WHERE tenant_id = $1`, [
          account.tenantId,
        ])
      ).rows.map(({ id, up }) => [id, up]),
    );
    expect(above.get(own)).toBeNull();
    const ring = [a, b, c].map((id) => above.get(id));
    expect(ring.filter((up) => up === null)).toHaveLength(1);
  });

  it('stay out where they were deleted, and hold nobody up', async () => {
    const account = await enrolling();
    const gone = await refer(account, 'gone');
    await account.call('POST', `/v1/partners/${gone}/state`, { state: 'deleted' });
    const second = await account.call('POST', '/v1/programs', {
      name: 'Second',
      destination_hosts: ['shop.example'],
      enrol_customers: true,
    });
    const there = { ...account, programId: second.body.id as string };
    await deliver(0, [conversion(there, 'x', 'gone'), conversion(there, 'y', 'here')]);
    expect([(await find(there, 'gone')).status, (await find(there, 'here')).status]).toEqual([404, 200]);
    await account.call('POST', `/v1/programs/${there.programId}/state`, { state: 'deleted' });
    await deliver(0, [conversion(there, 'z', 'late')]);
    expect((await find(there, 'late')).status).toBe(404);
  });

  it('end in the same places, whatever the order, the batches and the repeats', async () => {
    const NAMES = ['k0', 'k1', 'k2', 'k3', 'k4'];
    const fact = fc.record({
      customer: fc.nat(4),
      minute: fc.constantFrom(0, 1, 2),
      by: fc.integer({ min: -2, max: 3 }),
      revision: fc.integer({ min: 1, max: 2 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fact, { minLength: 3, maxLength: 10 }), fc.infiniteStream(fc.nat()), async (told, noise) => {
        const draw = (): number => noise.next().value as number;
        const account = await enrolling();
        const ids = await Promise.all(NAMES.map((name) => refer(account, name)));
        // Nobody is brought by somebody who came after: rings are another test's.
        const brought = told.map((one, i) => ({
          ...one,
          name: `c${i}`,
          partner: one.by < -1 ? null : one.by === -1 ? account.partnerId : one.by < one.customer ? (ids[one.by] as string) : null,
        }));
        const facts = brought.flatMap(({ name, customer, minute, partner, revision }) => [
          conversion(account, name, NAMES[customer] as string, { occurredAt: at(minute) }),
          ...(revision === 2 ? [attribution(account, name, account.partnerId, 1)] : []),
          attribution(account, name, partner, revision),
        ]);
        const arriving = [...facts, ...facts.filter(() => draw() % 3 === 0)]
          .map((one) => ({ one, order: draw() }))
          .sort((x, y) => x.order - y.order)
          .map(({ one }) => one);
        const batches: Outgoing[][] = [];
        while (arriving.length > 0) batches.push(arriving.splice(0, 1 + (draw() % 4)));
        await Promise.all(
          [0, 1].map(async (lane) => {
            for (const [i, batch] of batches.entries())
              if (i % 2 === lane)
                for (const type of [ConversionReceived.ceType, AttributionRevised.ceType]) {
                  const own = batch.filter(({ contract }) => contract.ceType === type);
                  if (own.length > 0) await deliver(lane, own);
                }
          }),
        );
        const upOf = (customer: number): number => {
          const [first] = brought
            .filter((one) => one.customer === customer)
            .sort((x, y) => x.minute - y.minute || (nameId(account.tenantId, x.name) < nameId(account.tenantId, y.name) ? -1 : 1));
          return first?.partner ? ids.indexOf(first.partner) : -1;
        };
        const depthOf = (customer: number): number => (upOf(customer) < 0 ? 0 : 1 + depthOf(upOf(customer)));
        for (const [i, name] of NAMES.entries()) {
          const { referred_by, referral_depth } = (await find(account, name)).body.partner;
          expect([name, referred_by, referral_depth]).toEqual([name, ids[upOf(i)] ?? null, depthOf(i)]);
        }
      }),
      { numRuns: Number(process.env['SHUFFLE_RUNS'] ?? 12), interruptAfterTimeLimit: 60_000, markInterruptAsFailure: false },
    );
  });
});
