const WORDS = 8;

/** A set of millions of click ids (32 bytes each) in 66 bytes each: open addressing over plain words. */
export class IdTable {
  size = 0;
  #capacity = 1 << 16;
  #words = new Uint32Array(this.#capacity * WORDS);
  #taken = new Uint8Array(this.#capacity);
  #id = new Uint32Array(WORDS);
  #bytes = Buffer.from(this.#id.buffer);

  /** False when it was there before. */
  add(bytes, from = 0) {
    this.#read(bytes, from);
    const slot = this.#slot();
    if (this.#taken[slot] !== 0) return false;
    this.#words.set(this.#id, slot * WORDS);
    this.#taken[slot] = 1;
    if (++this.size * 2 > this.#capacity) this.#grow();
    return true;
  }

  has(bytes, from = 0) {
    this.#read(bytes, from);
    return this.#taken[this.#slot()] === 1;
  }

  #read(bytes, from) {
    if (bytes.length < from + WORDS * 4) throw new Error(`a click id has ${WORDS * 4} bytes, and here are ${bytes.length - from}`);
    bytes.copy(this.#bytes, 0, from, from + WORDS * 4);
  }

  /** The last words are the tag of the id, which is as good as random. */
  #slot() {
    const id = this.#id;
    let slot = (Math.imul(id[6], 0x9e3779b1) ^ Math.imul(id[7], 0x85ebca6b) ^ id[5]) >>> 0;
    for (slot = (slot ^ (slot >>> 15)) & (this.#capacity - 1); this.#taken[slot] !== 0; slot = (slot + 1) & (this.#capacity - 1)) {
      const at = slot * WORDS;
      let i = WORDS - 1;
      while (i >= 0 && this.#words[at + i] === id[i]) i--;
      if (i < 0) break;
    }
    return slot;
  }

  #grow() {
    const [words, taken] = [this.#words, this.#taken];
    this.#capacity *= 2;
    this.#words = new Uint32Array(this.#capacity * WORDS);
    this.#taken = new Uint8Array(this.#capacity);
    for (let old = 0; old < taken.length; old++) {
      if (taken[old] === 0) continue;
      this.#id.set(words.subarray(old * WORDS, (old + 1) * WORDS));
      const slot = this.#slot();
      this.#words.set(this.#id, slot * WORDS);
      this.#taken[slot] = 1;
    }
  }
}
