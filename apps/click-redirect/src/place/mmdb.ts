import { readFileSync } from 'node:fs';
import { Reader, type Response } from 'mmdb-lib';
import type { Address } from '@baton/contracts';

/** Values kept before they are dropped and read again. A file of countries has some 250. */
const VALUES_MAX = 65_536;

/**
 * Looks addresses up in a MaxMind DB file (format 2.0). mmdb-lib takes text and decodes at each look-up; this walks the tree itself, on bytes,
 * and asks mmdb-lib once for each record of the file.
 */
export class MmdbTable<T> {
  private readonly reader: Reader<Response>;
  private readonly tree: Uint8Array;
  private readonly nodeCount: number;
  private readonly recordBits: number;
  private readonly rootV4: number;
  private readonly hasV6: boolean;
  private readonly values = new Map<number, T | null>();

  /** `read` turns a record of the file into what is wanted of it. Throws when the file is no MaxMind DB. */
  constructor(
    path: string,
    private readonly read: (record: unknown) => T | null,
  ) {
    const file = readFileSync(path);
    this.reader = new Reader(file);
    const { nodeCount, recordSize, searchTreeSize, ipVersion } = this.reader.metadata;
    if (recordSize !== 24 && recordSize !== 28 && recordSize !== 32)
      throw new RangeError(`${path} has records of ${recordSize} bits: 24, 28 and 32 can be read`);
    this.tree = file.subarray(0, searchTreeSize);
    this.nodeCount = nodeCount;
    this.recordBits = recordSize;
    this.hasV6 = ipVersion === 6;
    // An IPv4 address lies in a tree of IPv6 behind 96 zeros.
    this.rootV4 = this.hasV6 ? this.walk(0, new Array<number>(12).fill(0)) : 0;
  }

  find(address: Address): T | null {
    if (address.length !== 4 && !this.hasV6) return null;
    const record = this.walk(address.length === 4 ? this.rootV4 : 0, address);
    if (record <= this.nodeCount) return null;
    const known = this.values.get(record);
    if (known !== undefined) return known;
    if (this.values.size >= VALUES_MAX) this.values.clear();
    const value = this.read(this.reader.get(textOf(address)));
    this.values.set(record, value);
    return value;
  }

  /** From a node along the bits: to a record (above nodeCount), to nothing (nodeCount), or, where the bits end, to a node. */
  private walk(from: number, bytes: Address): number {
    let node = from;
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i] as number;
      for (let bit = 7; bit >= 0; bit--) {
        if (node >= this.nodeCount) return node;
        node = (byte >> bit) & 1 ? this.right(node) : this.left(node);
      }
    }
    return node;
  }

  private left(node: number): number {
    const { tree, recordBits } = this;
    const at = (node * recordBits) / 4;
    const three = ((tree[at] as number) << 16) | ((tree[at + 1] as number) << 8) | (tree[at + 2] as number);
    if (recordBits === 24) return three;
    if (recordBits === 28) return (((tree[at + 3] as number) & 0xf0) << 20) | three;
    return three * 256 + (tree[at + 3] as number);
  }

  private right(node: number): number {
    const { tree, recordBits } = this;
    const at = (node * recordBits) / 4 + (recordBits === 24 ? 3 : 4);
    const three = ((tree[at] as number) << 16) | ((tree[at + 1] as number) << 8) | (tree[at + 2] as number);
    if (recordBits === 24) return three;
    if (recordBits === 28) return (((tree[at - 1] as number) & 0x0f) << 24) | three;
    return three * 256 + (tree[at + 3] as number);
  }
}

function textOf(address: Address): string {
  if (address.length === 4) return address.join('.');
  return Array.from({ length: 8 }, (_, i) => (((address[i * 2] as number) << 8) | (address[i * 2 + 1] as number)).toString(16)).join(':');
}
