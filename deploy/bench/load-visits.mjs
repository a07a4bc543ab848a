// Visits of links, for the load generator: each is to be a redirect, and the click ids that it hands out are kept.
import { closeSync, openSync, writeSync } from 'node:fs';
import { clickIdIn, headerIn } from './answers.mjs';
import { requestsOf } from './visitors.mjs';

const ID_BYTES = 32;

/** Ids of runs that keep them are appended to `idsFile`. The order of a run is `{ keepsIds }`; ids of a reference are not kept. */
export function open({ slugs, seed, idsFile }) {
  const requests = requestsOf({ slugs, seed });
  const ids = new IdFile(idsFile);
  let next = 0;
  let withId = 0;
  let isKeeping = false;
  return {
    begin({ keepsIds }) {
      isKeeping = keepsIds;
      withId = 0;
      next = Math.floor(Math.random() * requests.length);
    },
    next: () => requests[(next = (next + 1) % requests.length)],
    judge({ status, head }) {
      if (status !== 302) return `answered ${status}`;
      const id = clickIdIn(headerIn(head, 'location') ?? '');
      if (id === null) return null;
      withId++;
      if (isKeeping) ids.add(id);
      return null;
    },
    counts: () => ({ withId }),
    end: () => ids.flush(),
  };
}

/** Click ids as they came, 32 bytes each, for whoever counts them afterwards. */
class IdFile {
  #buffer = Buffer.allocUnsafe(ID_BYTES * 32_768);
  #used = 0;

  constructor(file) {
    this.file = openSync(file, 'a');
    process.once('exit', () => closeSync(this.file));
  }

  add(id) {
    this.#used += this.#buffer.latin1Write(id, this.#used, ID_BYTES);
    if (this.#used === this.#buffer.length) this.flush();
  }

  flush() {
    writeSync(this.file, this.#buffer, 0, this.#used);
    this.#used = 0;
  }
}
