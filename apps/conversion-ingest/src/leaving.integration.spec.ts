import { counter } from '@baton/platform';
import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { connect } from 'node:net';
import { type Account, openWorld, order, type World } from './ingest.world';

const CALLERS = 20;

describe('a caller who does not wait for the answer', () => {
  const prefix = ownPrefix();
  let db: TestDatabase;
  let world: World;
  let acme: Account;
  beforeAll(async () => {
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(31);
    await eventually(() => world.knows(acme.key), 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const sum = async (name: string): Promise<number> => (await counter(name, '').get()).values.reduce((all, { value }) => all + value, 0);

  it('is counted all the same: what was received was answered', async () => {
    await Promise.all(Array.from({ length: CALLERS }, () => leave(world.replicas[0]?.url as string, acme.key)));
    const counts = await eventually(async () => {
      const [received, answered] = [await sum('baton_ingest_received_total'), await sum('baton_ingest_answered_total')];
      if (received < CALLERS || received !== answered) throw new Error(`${received} received, ${answered} answered`);
      return { received, answered };
    }, 10_000);
    expect(counts.received).toBe(CALLERS);
    const facts = await world.rows('SELECT count(*)::int AS n FROM facts');
    expect(facts).toEqual([{ n: CALLERS }]);
  });
});

/** Sends a whole request and goes, before a transaction can have begun. */
function leave(url: string, key: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const body = JSON.stringify(order());
  const head = `POST /v1/conversions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(head + body, () => socket.resetAndDestroy()));
    socket.once('close', () => resolve());
    socket.once('error', reject);
  });
}
