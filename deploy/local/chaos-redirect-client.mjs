// Visitors of the chaos run of the redirect.
import { Agent, request } from 'node:http';

/** A person's browser: what says that it is a program earns nothing. */
const BROWSER = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36';
const TIMEOUT_MS = 5_000;
const UNTIL_ANSWERED_MS = 30_000;
const TICK_MS = 5;

/**
 * Visitors and what became of them. A visit's `outcome`: `id` (302 with a click id), `plain` (302 without one), `refused` (nobody listened:
 * it never arrived), `lost` (the connection died or the answer did not come: it may have been recorded), or `other` (any other status).
 */
export class Visitors {
  visits = [];
  agents = new Map();

  constructor({ journal, links, random }) {
    Object.assign(this, { journal, links, random });
  }

  any(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** One request. Its number is its sub id, so that the record of a click shows whose it is. */
  async visit(url, link = this.any(this.links)) {
    const number = this.visits.length;
    const visit = { number, slug: link.slug, linkId: link.id, url };
    this.visits.push(visit);
    await this.journal.add({ ask: number, url, slug: link.slug });
    const started = performance.now();
    const answer = await this.get(`${url}/r/${link.slug}?sid=v${number}`);
    visit.tookMs = performance.now() - started;
    visit.status = answer.status;
    visit.clickId = answer.status === 302 ? new URL(answer.location).searchParams.get('click_id') : null;
    visit.outcome = answer.error ?? (answer.status === 302 ? (visit.clickId ? 'id' : 'plain') : 'other');
    await this.journal.add({ answer: number, outcome: visit.outcome, status: visit.status, clickId: visit.clickId });
    return visit;
  }

  /** As a visitor whose page did not open: again, at any replica, until there is an answer. */
  async visitUntilAnswered(urls) {
    const link = this.any(this.links);
    const end = Date.now() + UNTIL_ANSWERED_MS;
    for (;;) {
      const visit = await this.visit(this.any(urls), link);
      if (visit.outcome === 'id' || visit.outcome === 'plain' || Date.now() > end) return visit;
      await new Promise((resolve) => setTimeout(resolve, 50 + this.random() * 200));
    }
  }

  /** Starts visits at a steady rate, whether or not earlier ones were answered, while `goesOn(started)`; gives the last visit of each. */
  async load({ perSecond, goesOn, visit }) {
    const begun = performance.now();
    const all = [];
    await new Promise((resolve) => {
      const timer = setInterval(() => {
        const due = ((performance.now() - begun) * perSecond) / 1000;
        while (all.length < due) {
          if (!goesOn(all.length)) {
            clearInterval(timer);
            return void resolve();
          }
          all.push(visit());
        }
      }, TICK_MS);
    });
    return Promise.all(all);
  }

  get(target) {
    const { origin } = new URL(target);
    if (!this.agents.has(origin)) this.agents.set(origin, new Agent({ keepAlive: true, maxSockets: 512 }));
    return new Promise((resolve) => {
      const asked = request(
        target,
        { agent: this.agents.get(origin), headers: { 'user-agent': BROWSER }, timeout: TIMEOUT_MS },
        (answer) => {
          answer.resume();
          answer.once('end', () => resolve({ status: answer.statusCode, location: answer.headers.location }));
          answer.once('error', () => resolve({ error: 'lost' }));
        },
      );
      asked.once('timeout', () => asked.destroy(new Error('time-out')));
      asked.once('error', ({ code }) => resolve({ error: code === 'ECONNREFUSED' ? 'refused' : 'lost' }));
      asked.end();
    });
  }

  close() {
    for (const agent of this.agents.values()) agent.destroy();
    this.journal.close();
  }
}

export const count = (visits, outcome) => visits.filter((visit) => visit.outcome === outcome).length;
