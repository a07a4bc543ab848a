// An advertiser's server of the chaos run of the ingest: it tells each fact until it is answered, sometimes twice, and keeps a journal.
import { Agent, request } from 'node:http';
import { pause } from './processes.mjs';

const TIMEOUT_MS = 5_000;
const GIVE_UP_MS = 120_000;

/**
 * Requests and what became of them. A fact's `name` is its natural key; `kind` one of conversion, reversal, identity. An answer that is not
 * final (no connection, a dead one, 5xx, 429) is followed by the same request again, at any replica.
 */
export class Advertiser {
  /** `{ name, kind, body, isConflict, status, text, receipt, tries }` of each request that was answered. */
  answered = [];
  tries = 0;
  /** How often each answer that was not final came. */
  passing = {};
  unkind = [];
  agents = new Map();

  constructor({ journal, urls, apiKey, random }) {
    Object.assign(this, { journal, urls, apiKey, random });
  }

  async tell({ name, kind, body, isConflict = false }) {
    const deadline = Date.now() + GIVE_UP_MS;
    const text = JSON.stringify(body);
    for (let tries = 1; ; tries++) {
      const number = this.tries++;
      const url = this.urls[Math.floor(this.random() * this.urls.length)];
      await this.journal.add({ ask: number, name, kind, url, body: text });
      const answer = await this.post(`${url}/v1/${PATHS[kind]}`, text);
      await this.journal.add({ answer: number, status: answer.status, text: answer.text });
      if (answer.status !== 0 && answer.status < 500 && answer.status !== 429) {
        this.answered.push({ name, kind, isConflict, tries, ...answer });
        return;
      }
      this.note(answer);
      if (Date.now() > deadline)
        throw new Error(`${name} had no final answer within ${GIVE_UP_MS / 1_000} s; the last: ${answer.status} ${answer.text}`);
      await pause(100 + this.random() * 400);
    }
  }

  /** A refusal that passes says its reason and when to come again. */
  note({ status, text, reason, retryAfter }) {
    const what = status === 0 ? text : `${status} ${reason}`;
    this.passing[what] = (this.passing[what] ?? 0) + 1;
    if (status !== 0 && status >= 500 && !(status === 503 && reason && retryAfter))
      this.unkind.push(`${status} ${reason} ${text.slice(0, 200)}`);
  }

  /** Status 0: the connection died or the answer did not come, so it may have been stored. */
  post(url, body) {
    const { origin } = new URL(url);
    if (!this.agents.has(origin)) this.agents.set(origin, new Agent({ keepAlive: true, maxSockets: 256 }));
    const headers = {
      authorization: `Bearer ${this.apiKey}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    return new Promise((resolve) => {
      const asked = request(url, { method: 'POST', agent: this.agents.get(origin), headers, timeout: TIMEOUT_MS }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.once('end', () => resolve(answerOf(answer, Buffer.concat(chunks).toString('utf8'))));
        answer.once('error', () => resolve({ status: 0, text: 'cut off' }));
      });
      asked.once('timeout', () => asked.destroy(new Error('time-out')));
      asked.once('error', ({ code, message }) => resolve({ status: 0, text: code ?? message }));
      asked.end(body);
    });
  }

  close() {
    for (const agent of this.agents.values()) agent.destroy();
    this.journal.close();
  }
}

const PATHS = { conversion: 'conversions', reversal: 'reversals', identity: 'identities' };

const answerOf = ({ statusCode, headers }, text) => ({
  status: statusCode,
  text,
  receipt: headers['baton-receipt'],
  verdict: headers['baton-verdict'],
  reason: headers['baton-reason'],
  retryAfter: headers['retry-after'],
});

/** `requests` of them in a random order: a fifth are repeats to the letter, some say something else under an id that is taken. */
export function plan({ requests, random }) {
  const repeats = Math.round(requests * 0.2);
  const conflicts = Math.round(requests * 0.02);
  const facts = Array.from({ length: requests - repeats - conflicts }, (_, i) => factOf(i, random));
  const any = (list) => list[Math.floor(random() * list.length)];
  const conversions = facts.filter(({ kind }) => kind === 'conversion');
  const again = Array.from({ length: repeats }, () => any(facts));
  const others = Array.from({ length: conflicts }, () => {
    const { body, ...fact } = any(conversions);
    return { ...fact, isConflict: true, body: { ...body, amount_minor: body.amount_minor + 1 } };
  });
  // A repeat is mostly near its first, as one that is sent again by an impatient client; sometimes far.
  const placed = facts.map((fact, at) => ({ fact, at }));
  const placeOf = new Map(placed.map(({ fact, at }) => [fact, at]));
  for (const fact of again) placed.push({ fact, at: placeOf.get(fact) + (random() < 0.7 ? random() * 3 : random() * facts.length) });
  // Behind its first by more than a request may take, so that it is known which of the two was taken.
  for (const fact of others) placed.push({ fact, at: Infinity, order: random() });
  return placed.sort((a, b) => a.at - b.at || (a.order ?? 0) - (b.order ?? 0)).map(({ fact }) => fact);
}

/** Three in four are conversions, one in six takes an earlier one back, the rest say who somebody is. */
function factOf(i, random) {
  const occurred_at = new Date(Date.now() - 60_000 - i).toISOString();
  if (i % 12 === 5 || i % 12 === 9) {
    const externalId = `order-${i - (i % 12)}`;
    const part = i % 12 === 5 ? { reversal_id: `refund-${i}`, amount_minor: 1 + Math.floor(random() * 100) } : {};
    return {
      name: `reversal ${externalId} ${part.reversal_id ?? ''}`,
      kind: 'reversal',
      body: { external_id: externalId, ...part, occurred_at },
    };
  }
  if (i % 12 === 7) return { name: `identity ${i}`, kind: 'identity', body: { customer_id: `customer-${i}`, visitor_id: `visitor-${i}` } };
  const body = {
    external_id: `order-${i}`,
    customer_id: `customer-${Math.floor(i / 3)}`,
    email: `buyer.${i}@mail.example`,
    amount_minor: 500 + Math.floor(random() * 100_000),
    currency: 'EUR',
    occurred_at,
  };
  return { name: `conversion ${body.external_id}`, kind: 'conversion', body };
}
