import { serve, type TestDatabase, testDatabase } from '@baton/platform/testing';
import { eventually, ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Account, openWorld, type World } from './ingest.world';

/** `BATON_TEST_BULK_ROWS=100000` takes minutes, and tells more. */
const ROWS = Number(process.env['BATON_TEST_BULK_ROWS'] ?? 2_000);
const MIB = 1024 * 1024;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const heapBytes = (): number => {
  collect();
  return process.memoryUsage().heapUsed;
};

describe(`a file of ${ROWS} conversions`, () => {
  let db: TestDatabase;
  let world: World;
  let acme: Account;

  beforeAll(async () => {
    const prefix = ownPrefix();
    db = await testDatabase('conversion-ingest', { adminUrl: stores().postgresAdminUrl, prefix });
    world = await openWorld({ ...stores(), prefix, db, serve });
    acme = await world.account(11);
    await eventually(() => world.knows(acme.key), 60_000);
  }, 120_000);
  afterAll(async () => {
    await world?.close();
    await db?.drop();
  }, 60_000);

  const counted = async (name: string): Promise<number> => {
    const text = await (await fetch(`${world.replicas[0]?.url}/metrics`)).text();
    const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`));
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };

  const answers = async (): Promise<unknown[]> => {
    const names = ['received_total', 'answered_total'];
    return Promise.all(names.map((name) => counted(`baton_ingest_${name}`)));
  };

  it('is counted as one request, answered as bringing nothing, where it has no row', async () => {
    const before = (await answers())[0] as number;
    for (const body of ['', 'external_id\n', 'colour\n']) {
      const headers = { authorization: `Bearer ${acme.key}`, 'content-type': 'text/csv' };
      await (await fetch(`${world.replicas[0]?.url}/v1/conversions:bulk`, { method: 'POST', headers, body })).text();
    }
    await eventually(async () => (await answers()).every((count) => count === before + 3));
  });

  it('streams both ways in bounded memory, and each row is counted once', async () => {
    const id = randomUUID();
    async function* rows() {
      yield Buffer.from('external_id,customer_id,amount,currency,metadata.note\n');
      for (let i = 0; i < ROWS; i++) yield Buffer.from(`${id}-${i},c${i},1.50,EUR,${'x'.repeat(100)}\n`);
    }
    const before = (await answers())[0] as number;
    const startMs = performance.now();
    const [startBytes, startHeapBytes] = [process.memoryUsage().rss, heapBytes()];
    const answer = await fetch(`${world.replicas[0]?.url}/v1/conversions:bulk`, {
      method: 'POST',
      headers: { authorization: `Bearer ${acme.key}`, 'content-type': 'text/csv' },
      body: Readable.from(rows()),
      duplex: 'half',
    } as unknown as RequestInit);
    let [rest, last, told, residentBytes, heldBytes] = ['', '', 0, 0, 0];
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      const lines = (rest + Buffer.from(chunk).toString()).split('\n');
      rest = lines.pop() ?? '';
      told += lines.filter((line) => line.startsWith('{"row":')).length;
      last = lines.at(-1) ?? last;
      residentBytes = Math.max(residentBytes, process.memoryUsage().rss - startBytes);
      // Most of the upload is over, and none of it should be left.
      if (heldBytes === 0 && told >= ROWS * 0.8) heldBytes = heapBytes() - startHeapBytes;
    }
    expect([told, JSON.parse(last)]).toEqual([ROWS, { done: true, rows: ROWS, accepted: ROWS, duplicate: 0, rejected: 0, validated: 0 }]);
    const [seconds, residentMiB, heldMiB] = [(performance.now() - startMs) / 1_000, residentBytes / MIB, heldBytes / MIB].map(Math.round);
    process.stdout.write(`${ROWS} rows in ${seconds} s; ${residentMiB} MiB more resident at most, ${heldMiB} MiB more held\n`);
    // What is resident depends on when the collector runs; what is held does not.
    expect([residentMiB! < 1_000, heldMiB! < 40]).toEqual([true, true]);
    await eventually(async () => (await answers()).every((count) => count === before + ROWS));
  }, 900_000);
});
