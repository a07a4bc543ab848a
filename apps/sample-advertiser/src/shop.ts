import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Baton } from './baton';
import type { Orders, Telling } from './orders';

export interface ShopSettings {
  readonly host: string;
  readonly port: number;
  readonly landingParam: string;
  readonly orders: Orders;
  readonly baton: Baton;
}

export interface Shop {
  readonly url: string;
  close(): Promise<void>;
}

const COOKIE = 'shop_click';
/** At least as long as the longest window of a program. */
const COOKIE_SECONDS = 90 * 24 * 3_600;
const BODY_MAX_BYTES = 16 * 1024;
const CLICK_ID = /^[A-Za-z0-9_-]{1,64}$/;

/** A shop with one thing to sell. `GET /` is where links lead; `POST /signup`, `/buy`, `/refund`; `GET /orders/:id` shows the receipt. */
export async function openShop(settings: ShopSettings): Promise<Shop> {
  const server = createServer((request, response) => {
    answer(settings, request, response).catch((error: Error) =>
      send(response, error instanceof Asked ? 400 : 500, { error: error.message }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(settings.port, settings.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${settings.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

/** The visitor's request is not what the shop understands. */
class Asked extends Error {}

async function answer(settings: ShopSettings, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://shop');
  const route = `${request.method} ${url.pathname}`;
  if (route === 'POST /signup') return sell(settings, response, signup(await formOf(request), clickOf(request)));
  if (route === 'POST /buy') return sell(settings, response, purchase(await formOf(request), clickOf(request)));
  if (route === 'POST /refund') return sell(settings, response, refund(await formOf(request)));
  if (route === 'GET /orders') return send(response, 200, { orders: settings.orders.all() });
  if (request.method === 'GET' && url.pathname.startsWith('/orders/'))
    return show(settings, response, url.pathname.slice('/orders/'.length));
  if (request.method === 'GET') return land(settings, url, response);
  send(response, 404, { error: 'There is no such page.' });
}

/** Step 1: the click id arrives with the visitor, once; a first-party cookie keeps it until something is sold. */
function land({ landingParam }: ShopSettings, url: URL, response: ServerResponse): void {
  const clickId = url.searchParams.get(landingParam);
  if (clickId && CLICK_ID.test(clickId))
    response.setHeader('Set-Cookie', `${COOKIE}=${clickId}; Path=/; Max-Age=${COOKIE_SECONDS}; HttpOnly; SameSite=Lax`);
  response.setHeader('Content-Type', 'text/html; charset=utf-8');
  response.end(PAGE);
}

/** Step 3: written down first, told then; the visitor waits for neither Baton nor the network. */
async function sell({ orders, baton }: ShopSettings, response: ServerResponse, telling: Telling): Promise<void> {
  if (!orders.find(telling.path, telling.id)) await orders.put(telling);
  baton.wake();
  send(response, 201, { id: telling.id });
}

async function show({ orders, baton }: ShopSettings, response: ServerResponse, id: string): Promise<void> {
  const telling = orders.find('/v1/conversions', id);
  if (!telling) return send(response, 404, { error: 'There is no such order.' });
  const receiptId = telling.answer?.receiptId;
  send(response, 200, { ...telling, receipt: receiptId ? await baton.receipt(receiptId) : null });
}

function signup(form: URLSearchParams, clickId: string | null): Telling {
  const email = needed(form, 'email');
  const customerId = form.get('customer_id') ?? `customer-${randomUUID()}`;
  const id = `signup-${customerId}`;
  return conversion(id, clickId, { type: 'signup', customer_id: customerId, email });
}

function purchase(form: URLSearchParams, clickId: string | null): Telling {
  const amount = Number(needed(form, 'amount_minor'));
  if (!Number.isSafeInteger(amount) || amount < 0) throw new Asked('amount_minor must be a whole number of minor units.');
  const id = form.get('order_id') ?? `order-${randomUUID()}`;
  return conversion(id, clickId, {
    type: 'sale',
    customer_id: needed(form, 'customer_id'),
    amount_minor: amount,
    currency: form.get('currency') ?? 'EUR',
  });
}

const conversion = (id: string, clickId: string | null, more: Record<string, unknown>): Telling => ({
  id,
  path: '/v1/conversions',
  // The time of the sale, not of the telling: a repeat after a restart must be the same body.
  body: { external_id: id, click_id: clickId, occurred_at: new Date().toISOString(), ...more },
});

function refund(form: URLSearchParams): Telling {
  const orderId = needed(form, 'order_id');
  const amount = form.get('amount_minor');
  const id = form.get('refund_id') ?? (amount ? `refund-${randomUUID()}` : orderId);
  const part = amount ? { amount_minor: Number(amount), currency: form.get('currency') ?? 'EUR', reversal_id: id } : {};
  return { id, path: '/v1/reversals', body: { external_id: orderId, reason: 'returned', ...part } };
}

const needed = (form: URLSearchParams, name: string): string => {
  const value = form.get(name);
  if (!value) throw new Asked(`${name} is missing.`);
  return value;
};

function clickOf(request: IncomingMessage): string | null {
  return new RegExp(`(?:^|;\\s*)${COOKIE}=([A-Za-z0-9_-]{1,64})(?:;|$)`).exec(request.headers.cookie ?? '')?.[1] ?? null;
}

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > BODY_MAX_BYTES) throw new Asked('The form is too large.');
    chunks.push(chunk as Buffer);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

function send(response: ServerResponse, status: number, body: object): void {
  if (response.headersSent) return void response.end();
  response.writeHead(status, { 'Content-Type': 'application/json' });
  response.end(JSON.stringify(body));
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The sample shop</title>
<h1>The sample shop</h1>
<form method="post" action="/signup">
  <label>E-mail <input name="email" type="email" required></label>
  <button>Sign up</button>
</form>
<form method="post" action="/buy">
  <input type="hidden" name="amount_minor" value="12000">
  <label>Customer <input name="customer_id" required></label>
  <button>Buy for 120.00 EUR</button>
</form>
`;
