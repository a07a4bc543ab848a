import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from '@baton/testing';
import { admin, balances, type Answer, openShop, platform, type Shop } from './platform';

const MAIN = join(__dirname, '../../sample-advertiser/dist/main.js');
const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' };

/** The sample shop as a process of its own. */
interface Running {
  readonly url: string;
  stop(signal?: NodeJS.Signals): Promise<void>;
}

async function run(apiKey: string, batonUrl: string, ordersFile: string, port = 0): Promise<Running> {
  const env = { PATH: process.env['PATH'], BATON_URL: batonUrl, BATON_API_KEY: apiKey, PORT: String(port), ORDERS_FILE: ordersFile };
  const child: ChildProcess = spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const url = await eventually(() => /ready on (\S+)/.exec(said)?.[1] ?? false, 10_000);
  return {
    url: url as string,
    stop: (signal = 'SIGTERM') =>
      new Promise((resolve) => {
        child.once('exit', () => resolve());
        child.kill(signal);
      }),
  };
}

const form = (fields: Record<string, string>) => ({ method: 'POST', body: new URLSearchParams(fields) });

describe('a shop that follows the three steps', () => {
  let shop: Shop;
  let running: Running;
  const ordersFile = join(mkdtempSync(join(tmpdir(), 'shop-')), 'orders.jsonl');
  const ingest = () => platform().urls['conversion-ingest'] as string;
  const order = async (id: string): Promise<Answer['body']> => (await fetch(`${running.url}/orders/${id}`)).json();

  beforeAll(async () => {
    shop = await openShop();
    running = await run(shop.apiKey, ingest(), ordersFile);
  }, 60_000);
  afterAll(() => running?.stop());

  /** The visitor follows a partner's link and lands here: what the browser then keeps. */
  async function visit(): Promise<Record<string, string>> {
    const redirect = await fetch(`${platform().urls['click-redirect']}/r/${shop.slug}`, { headers: BROWSER, redirect: 'manual' });
    const landing = await fetch(`${running.url}/${new URL(redirect.headers.get('location') as string).search}`, { headers: BROWSER });
    return { cookie: (landing.headers.get('set-cookie') as string).split(';')[0] as string };
  }

  it('earns its partner the share of a sale, shows the receipt’s verdict, and takes it back with the refund', async () => {
    const cookies = await visit();
    const sold = await fetch(`${running.url}/buy`, {
      ...form({ order_id: 's1', customer_id: 'c1', amount_minor: '12000' }),
      headers: cookies,
    });
    expect(sold.status).toBe(201);
    await eventually(async () => expect((await order('s1')).answer).toMatchObject({ status: 201, verdict: 'accepted' }), 20_000);
    await eventually(async () => expect(await balances(shop)).toEqual({ 'program:expense': -1_200, 'partner:held': 1_200 }), 30_000);
    expect((await order('s1')).receipt).toMatchObject({ verdict: 'accepted', external_id: 's1' });
    await fetch(`${running.url}/refund`, form({ order_id: 's1' }));
    await eventually(async () => expect(await balances(shop)).toEqual({}), 30_000);
  }, 90_000);

  it('sells on while Baton is away and while it is killed itself, and tells each sale once', async () => {
    const cookies = await visit();
    await running.stop();
    // Nobody listens there.
    running = await run(shop.apiKey, 'http://127.0.0.1:9', ordersFile);
    await fetch(`${running.url}/buy`, { ...form({ order_id: 's2', customer_id: 'c2', amount_minor: '5000' }), headers: cookies });
    expect((await order('s2')).answer).toBeUndefined();
    await running.stop('SIGKILL');
    running = await run(shop.apiKey, ingest(), ordersFile);
    await eventually(async () => expect((await order('s2')).answer).toMatchObject({ status: 201 }), 20_000);
    await eventually(async () => expect(await balances(shop)).toEqual({ 'program:expense': -500, 'partner:held': 500 }), 30_000);
  }, 90_000);

  it('earns a flat reward for a sign-up without an amount', async () => {
    await admin(shop.tenantId, '/v1/plans', {
      program_id: shop.programId,
      name: 'Sign-ups',
      kind: 'flat',
      amount_minor: 300,
      currency: 'EUR',
      conversion_types: ['signup'],
    });
    const before = (await balances(shop))['partner:held'] ?? 0;
    const signed = await fetch(`${running.url}/signup`, {
      ...form({ email: 'newcomer@shop.example', customer_id: 'c3' }),
      headers: await visit(),
    });
    expect(signed.status).toBe(201);
    await eventually(async () => expect((await balances(shop))['partner:held']).toBe(before + 300), 30_000);
  }, 60_000);
});
