import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { Dub } from 'dub';
import { Conflict, NotFound, SDKError, Unauthorized, UnprocessableEntity } from 'dub/models/errors';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Account, openWorld, type World } from '../ingest.world';

/** Dub's own SDK, told where we are and nothing else. */
describe('the dub client', () => {
  let db: TestDatabase;
  let world: World;
  let shop: Account;
  let dub: Dub;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    shop = await world.account(60);
    for (const replica of [0, 1]) await eventually(() => world.knows(shop.key, replica), 60_000);
    dub = new Dub({ token: shop.key, serverURL: world.replicas[0]?.url as string });
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const stored = () => world.rows('SELECT kind, external_id, data FROM facts WHERE tenant_id = $1 ORDER BY received_at', shop.tenantId);
  const sale = (more: object = {}) => dub.track.sale({ customerExternalId: 'user-1', amount: 3000, eventName: 'Invoice paid', ...more });

  it('tracks a lead, in each of its modes, and the sale that follows', async () => {
    const person = { customerExternalId: 'user-1', customerEmail: 'person@example.com', customerName: 'A Person' };
    expect(await dub.track.lead({ ...person, clickId: shop.click, eventName: 'Trial', mode: 'deferred' })).toMatchObject({
      click: { id: shop.click },
      link: null,
      customer: { externalId: 'user-1' },
    });
    await dub.track.lead({ ...person, clickId: '', eventName: 'Trial' });
    await dub.track.lead({ ...person, clickId: shop.click, eventName: 'Sign up', mode: 'wait', metadata: { seats: 5 } });
    expect(await sale({ invoiceId: 'INV-1', paymentProcessor: 'stripe' })).toEqual({
      eventName: 'Invoice paid',
      customer: { id: 'user-1', name: null, email: null, avatar: null, externalId: 'user-1' },
      sale: { amount: 3000, currency: 'usd', paymentProcessor: 'stripe', invoiceId: 'INV-1', metadata: null },
    });
    expect(await stored()).toMatchObject([
      { kind: 'identity' },
      { kind: 'conversion', external_id: 'lead:user-1:trial', data: { type: 'lead', customerId: 'user-1' } },
      { kind: 'conversion', external_id: 'lead:user-1:sign up', data: { type: 'lead', clickId: shop.click, metadata: { seats: '5' } } },
      { kind: 'conversion', external_id: 'INV-1', data: { type: 'sale', amountMinor: 3000, currency: 'USD', customerId: 'user-1' } },
    ]);
  });

  it('is told of what went wrong by errors of its own', async () => {
    await sale({ invoiceId: 'INV-2' });
    await expect(sale({ invoiceId: 'INV-2', amount: 1 })).rejects.toBeInstanceOf(Conflict);
    await expect(sale({ amount: -1 })).rejects.toBeInstanceOf(UnprocessableEntity);
    await expect(sale({ currency: 'shells' })).rejects.toBeInstanceOf(UnprocessableEntity);
    const forged = { customerExternalId: 'user-2', clickId: 'forged', eventName: 'Trial', mode: 'deferred' as const };
    await expect(dub.track.lead(forged)).rejects.toBeInstanceOf(NotFound);
    const stranger = new Dub({ token: 'dub_unknown', serverURL: world.replicas[0]?.url as string });
    await expect(stranger.track.lead(forged)).rejects.toBeInstanceOf(Unauthorized);
  });

  it('tries again by itself when the first answer was lost, and pays once, without an invoice too', async () => {
    const lossy = await losingFirstAnswer(world.replicas[1]?.url as string);
    try {
      const patient = new Dub({
        token: shop.key,
        serverURL: `http://127.0.0.1:${(lossy.address() as AddressInfo).port}/api`,
        retryConfig: {
          strategy: 'backoff',
          backoff: { initialInterval: 5, maxInterval: 20, exponent: 1, maxElapsedTime: 10_000 },
        },
      });
      const told = await patient.track.sale({ customerExternalId: 'user-3', amount: 777 });
      expect(told).toMatchObject({ sale: { amount: 777, invoiceId: null } });
      expect((await stored()).filter(({ data }) => (data as { customerId?: string }).customerId === 'user-3')).toHaveLength(1);
    } finally {
      lossy.close();
    }
  });

  it('gives an error of its own for an answer that it does not know', async () => {
    await expect(sale({ metadata: { long: 'x'.repeat(70_000) } })).rejects.toBeInstanceOf(SDKError);
  });
});

/** A gateway that hands every request on, and loses the first answer on the way back. */
async function losingFirstAnswer(target: string): Promise<Server> {
  let lost = false;
  const server = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const headers = { authorization: String(request.headers['authorization']), 'content-type': 'application/json' };
      const answer = await fetch(`${target}${request.url}`, { method: 'POST', headers, body: Buffer.concat(chunks) });
      const body = await answer.text();
      if (!lost) response.writeHead(502).end();
      else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(body);
      lost = true;
    })();
  });
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}
