// Do the counts balance? Every id that a visitor got is in the topic, once; nothing else is; no two visitors got the same.
import { openSync, readSync, closeSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { pause } from '../local/processes.mjs';
import { IdTable } from './id-table.mjs';

const ID_BYTES = 32;
const READ_MS = 120_000;

/** Reads a topic of clicks from its beginning, only while it is asked to: in between it costs nothing. */
export class Balance {
  sample = null;
  #table = new IdTable();
  #read = 0;
  #duplicates = 0;
  #offsets = new Map();
  #consumer;

  constructor(cluster, run) {
    this.cluster = cluster;
    this.run = run;
  }

  /** At the first check, not before: a group that waits through an outage of the broker would begin anew. */
  async #start() {
    const groupId = `${this.cluster.prefix}balance-${randomBytes(3).toString('hex')}`;
    const consumer = this.cluster.client.consumer({ groupId, maxWaitTimeInMs: 100 });
    this.run.later(() => consumer.disconnect());
    await consumer.connect();
    await consumer.subscribe({ topic: this.cluster.clicks, fromBeginning: true });
    await consumer.run({ autoCommit: false, eachBatch: ({ batch }) => this.#take(batch) });
    return consumer;
  }

  #take({ partition, messages }) {
    for (const message of messages) {
      // A batch that was read twice is not a message that was sent twice.
      if (Number(message.offset) < (this.#offsets.get(partition) ?? 0)) continue;
      this.#offsets.set(partition, Number(message.offset) + 1);
      this.#read++;
      this.sample ??= message;
      if (!this.#table.add(message.key)) this.#duplicates++;
    }
  }

  /** Of everything since the beginning. `files` hold the ids that visitors got. Throws when the topic cannot be read. */
  async check(files) {
    await this.#readAll();
    const counts = { answered: 0, inTopic: this.#read, duplicates: this.#duplicates, lost: 0, unasked: 0, givenTwice: 0 };
    const given = new IdTable();
    for (const file of files)
      eachId(file, (bytes, from) => {
        counts.answered++;
        if (!given.add(bytes, from)) counts.givenTwice++;
        if (!this.#table.has(bytes, from)) counts.lost++;
      });
    counts.unasked = this.#table.size - (given.size - counts.lost);
    return counts;
  }

  async #readAll() {
    const { clicks: topic } = this.cluster;
    if (this.#consumer) this.#consumer.resume([{ topic }]);
    else this.#consumer = await this.#start();
    const deadline = Date.now() + READ_MS;
    while (this.#read < (await this.cluster.countOf(topic))) {
      if (Date.now() > deadline) throw new Error(`${topic} could not be read within ${READ_MS / 1_000} s: ${this.#read} messages so far`);
      await pause(50);
    }
    this.#consumer.pause([{ topic }]);
  }
}

/** One sentence of what the counts are. */
export const balanceText = ({ answered, inTopic, duplicates, lost, unasked, givenTwice }) =>
  `${answered} visitors got an id, ${inTopic} clicks in the topic, ${lost} lost, ${duplicates} duplicates, ${unasked} that nobody asked for, ${givenTwice} ids given twice`;

function eachId(file, take) {
  const descriptor = openSync(file, 'r');
  const chunk = Buffer.allocUnsafe(ID_BYTES * 32_768);
  try {
    for (let size; (size = readSync(descriptor, chunk, 0, chunk.length, null)) > 0;)
      for (let from = 0; from + ID_BYTES <= size; from += ID_BYTES) take(chunk, from);
  } finally {
    closeSync(descriptor);
  }
}
