// The load of the chaos run: a partner's visitors and an advertiser's server that repeats itself until it has an answer.
import { call } from './api.mjs';

/** A small seeded generator (mulberry32): the same seed plays the same load. */
export function seeded(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const BROWSER = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' };

/** One tenant's client and its journal: what it sent, and what it was answered. */
export class Client {
  clicks = [];
  conversions = [];
  identities = [];
  reversals = [];
  /** External id -> the receipt ids that were answered for it: one, whatever happened. */
  receipts = new Map();
  shed = 0;
  attempts = 0;

  constructor(program, urlsOf, random) {
    Object.assign(this, { program, urlsOf, random });
  }

  pick(service) {
    const urls = this.urlsOf(service);
    return urls[Math.floor(this.random() * urls.length)];
  }

  /** A visitor follows the link. An answer without an id is a visitor who was sent on uncounted. */
  async click(link) {
    for (;;) {
      const answer = await call(`${this.pick('click-redirect')}/r/${link.slug}?sid=${this.clicks.length}`, {
        headers: BROWSER,
        timeoutMs: 5_000,
      });
      const location = answer.headers.get('location');
      if (answer.status !== 302 || !location) {
        // Nobody was redirected: a visitor would try again.
        await new Promise((resolve) => setTimeout(resolve, 200));
        continue;
      }
      const clickId = new URL(location).searchParams.get('click_id');
      if (!clickId) {
        this.shed++;
        return null;
      }
      const click = { clickId, partnerId: link.partnerId, atMs: Number(Buffer.from(clickId, 'base64url').readUIntBE(6, 6)) };
      this.clicks.push(click);
      return click;
    }
  }

  async convert(conversion, copies = 1) {
    this.conversions.push(conversion);
    const body = {
      external_id: conversion.externalId,
      type: 'sale',
      amount_minor: conversion.amountMinor,
      currency: 'EUR',
      occurred_at: new Date(conversion.occurredAtMs).toISOString(),
      ...(conversion.clickId ? { click_id: conversion.clickId } : {}),
      ...(conversion.customerId ? { customer_id: conversion.customerId } : {}),
    };
    await Promise.all(Array.from({ length: copies }, () => this.untilAccepted('/v1/conversions', body)));
  }

  async link(identity) {
    this.identities.push(identity);
    await this.untilAccepted('/v1/identities', { click_id: identity.clickId, customer_id: identity.customerId });
  }

  async reverse(reversal) {
    this.reversals.push(reversal);
    await this.untilAccepted('/v1/reversals', {
      external_id: reversal.externalId,
      reversal_id: reversal.id,
      ...(reversal.amountMinor === null ? {} : { amount_minor: reversal.amountMinor }),
      occurred_at: new Date(reversal.occurredAtMs).toISOString(),
    });
  }

  /** As an advertiser's server does: the same body again until there is a 2xx. A dead connection tells nothing of what became of it. */
  async untilAccepted(path, body) {
    for (;;) {
      this.attempts++;
      const answer = await call(`${this.pick('conversion-ingest')}${path}`, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${this.program.apiKey}` },
        timeoutMs: 8_000,
      });
      if (answer.status === 200 || answer.status === 201) {
        const key = `${path} ${body.external_id ?? body.customer_id} ${body.reversal_id ?? body.click_id ?? ''}`;
        this.receipts.set(key, (this.receipts.get(key) ?? new Set()).add(answer.body.receipt_id));
        return answer.body;
      }
      if (answer.status !== 0 && answer.status < 500 && answer.status !== 429)
        throw new Error(`${path} answered ${answer.status}: ${JSON.stringify(answer.body)} to ${JSON.stringify(body)}`);
      await new Promise((resolve) => setTimeout(resolve, 100 + this.random() * 400));
    }
  }
}

/** Works through tasks, `width` at once, never faster than `perSecond`. */
export async function paced(tasks, { width, perSecond }) {
  const started = Date.now();
  let next = 0;
  const worker = async () => {
    while (next < tasks.length) {
      const index = next++;
      const waitMs = started + (index * 1000) / perSecond - Date.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await tasks[index]();
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
}
