// A process of its own that asks as fast as answers come (closed loop), or at a rate whatever comes back (open loop). Told what to do by
// messages: `{ open: <kind>, … }` once, then `{ run }` any number of times; `{ stop: true }` ends a run early.
import { connect } from 'node:net';
import { answerIn } from './answers.mjs';
import { randomOf } from './random.mjs';

/** What is asked and what an answer means: each gives `begin(order)`, `next()`, `judge(answer)` (what is wrong with it, or null), `counts()`, `end()`. */
const KINDS = {
  visits: () => import('./load-visits.mjs'),
  conversions: () => import('./load-conversions.mjs'),
};
/** How long the last answers may take. */
const DRAIN_MS = 15_000;
const PROGRESS_MS = 250;
/** Parts of a run whose p99 is told too: one bad second looks different from a bad run. */
const PARTS = 20;

let asker;
let current;

process.on('message', (message) => {
  if (message.open) void open(message).then(() => process.send({ ready: true }));
  else if (message.run) {
    current = new Load(message.run);
    current.go().then(
      (result) => process.send({ result }),
      (error) => process.send({ error: error.stack }),
    );
  } else if (message.stop) current?.end();
});
process.once('disconnect', () => process.exit());

async function open({ open: kind, ...about }) {
  asker = (await KINDS[kind]()).open(about);
}

class Load {
  answered = 0;
  failures = 0;
  failure = null;
  #latencies = new Float32Array(1 << 16);
  /** How many were answered at each step of progress. */
  #marks = [];
  #isOver = false;
  #idle = [];
  #due = [];
  #dueAt = 0;
  #busy = 0;
  #lateMost = 0;

  constructor({ port, connections, seconds, perSecond = null, ...order }) {
    Object.assign(this, { port, connections, seconds, perSecond });
    asker.begin({ connections, ...order });
  }

  async go() {
    const visitors = await Promise.all(Array.from({ length: this.connections }, () => Visitor.connect(this)));
    const startedMs = performance.now();
    const done = new Promise((resolve) => (this.done = resolve));
    if (this.perSecond === null) for (const visitor of visitors) this.ask(visitor, performance.now());
    else this.#schedule(visitors, startedMs);
    const timer = setTimeout(() => this.end(), this.seconds * 1_000);
    const progress = setInterval(() => {
      this.#marks.push(this.answered);
      process.send({ progress: asker.counts() });
    }, PROGRESS_MS);
    await done;
    const tookMs = performance.now() - startedMs;
    clearTimeout(timer);
    clearInterval(progress);
    for (const visitor of visitors) visitor.leave();
    asker.end();
    return { ...this.#counts(), tookMs, ...this.#percentiles() };
  }

  #counts() {
    const { answered, failures, failure } = this;
    return { answered, failures, failure, lateMost: this.#lateMost, ...asker.counts() };
  }

  /** Nothing new is asked; what is under way is waited for. */
  end() {
    if (this.#isOver) return;
    this.#isOver = true;
    clearInterval(this.ticking);
    this.#due = [];
    if (this.#busy === 0) return this.done();
    setTimeout(() => {
      if (this.#busy === 0) return;
      this.fail(`${this.#busy} requests had no answer ${DRAIN_MS / 1_000} s after the end`);
      this.done();
    }, DRAIN_MS).unref();
  }

  ask(visitor, scheduledMs) {
    this.#busy++;
    visitor.ask(asker.next(), scheduledMs);
  }

  answer(visitor, answer, tookMs) {
    this.#busy--;
    if (this.answered === this.#latencies.length) this.#grow();
    this.#latencies[this.answered++] = tookMs;
    const wrong = asker.judge(answer);
    if (wrong !== null) this.fail(wrong);
    this.#afterAnswer(visitor);
  }

  #afterAnswer(visitor) {
    if (this.#isOver) return this.#busy === 0 ? this.done() : undefined;
    if (this.perSecond === null) return this.ask(visitor, performance.now());
    if (this.#dueAt < this.#due.length) this.ask(visitor, this.#due[this.#dueAt++]);
    else this.#idle.push(visitor);
  }

  fail(why) {
    this.failures++;
    this.failure ??= why;
  }

  /** A connection that breaks under a request takes it along. */
  lost(why) {
    this.fail(why);
    this.#busy--;
    if (this.#isOver && this.#busy === 0) this.done();
  }

  /** Arrivals of people who know nothing of each other, so exponential gaps. Latency counts from when one was due, also when none was free to ask. */
  #schedule(visitors, startedMs) {
    this.#idle = [...visitors];
    const random = randomOf(7);
    let nextMs = startedMs;
    this.ticking = setInterval(() => {
      const nowMs = performance.now();
      for (; nextMs <= nowMs; nextMs -= (Math.log(1 - random()) * 1_000) / this.perSecond) this.#due.push(nextMs);
      while (this.#dueAt < this.#due.length && this.#idle.length > 0) this.ask(this.#idle.pop(), this.#due[this.#dueAt++]);
      this.#lateMost = Math.max(this.#lateMost, this.#due.length - this.#dueAt);
      if (this.#dueAt === this.#due.length) this.#due.length = this.#dueAt = 0;
    }, 1);
  }

  #grow() {
    const larger = new Float32Array(this.#latencies.length * 2);
    larger.set(this.#latencies);
    this.#latencies = larger;
  }

  #percentiles() {
    const p99Parts = this.#parts().map((latencies) => percentile(latencies.sort(), 0.99));
    const sorted = this.#latencies.subarray(0, this.answered).sort();
    return { p50Ms: percentile(sorted, 0.5), p99Ms: percentile(sorted, 0.99), mostMs: percentile(sorted, 1), p99Parts };
  }

  /** Copies, in the order of time. */
  #parts() {
    const step = Math.max(1, Math.ceil(this.#marks.length / PARTS));
    const ends = this.#marks.filter((_, i) => (i + 1) % step === 0);
    return ends.map((end, i) => this.#latencies.slice(ends[i - 1] ?? 0, end));
  }
}

const percentile = (sorted, part) => (sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]);

/** One connection that stays open. */
class Visitor {
  #text = '';
  #scheduledMs = 0;
  #isAsking = false;

  static connect(load) {
    return new Promise((resolve, reject) => {
      const visitor = new Visitor();
      const callback = (size, buffer) => visitor.#read(load, buffer.latin1Slice(0, size));
      visitor.socket = connect({
        host: '127.0.0.1',
        port: load.port,
        noDelay: true,
        onread: { buffer: Buffer.allocUnsafe(16_384), callback },
      });
      visitor.socket.once('connect', () => resolve(visitor));
      visitor.socket.on('error', (error) => (visitor.#isAsking ? (visitor.failure = error.message) : reject(error)));
      visitor.socket.on('close', () => visitor.#isAsking && load.lost(visitor.failure ?? 'the connection was closed under a request'));
    });
  }

  ask(request, scheduledMs) {
    this.#scheduledMs = scheduledMs;
    this.#isAsking = true;
    this.socket.write(request);
  }

  leave() {
    this.#isAsking = false;
    this.socket.destroy();
  }

  #read(load, text) {
    this.#text = this.#text === '' ? text : this.#text + text;
    try {
      const answer = answerIn(this.#text);
      if (!answer) return true;
      this.#text = '';
      this.#isAsking = false;
      load.answer(this, answer, performance.now() - this.#scheduledMs);
    } catch (error) {
      this.failure = error.message;
      this.socket.destroy();
    }
    return true;
  }
}
