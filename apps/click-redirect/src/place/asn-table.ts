import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import type { Address } from '@baton/contracts';

const CHUNK_BYTES = 1 << 20;
const COMMA = 0x2c;
const COLON = 0x3a;
const LINE_END = 0x0a;

/**
 * Which autonomous system announces an address: ranges as sorted starts in typed arrays, a gap being a range of system 0.
 * Files: CSV, sorted, `start,end,asn,...`; IPv4 as whole numbers, IPv6 as text.
 */
export class AsnTable {
  private readonly v4 = new Ranges(1);
  private readonly v6 = new Ranges(4);

  /** Reads both files: 30 MB and a fraction of a second. Throws where a line cannot be read or is out of order. */
  constructor(files: { readonly v4: string; readonly v6: string }) {
    readRanges(files.v4, this.v4, readWhole);
    readRanges(files.v6, this.v6, readV6);
  }

  /** 0: nobody is known to announce it. */
  find(address: Address): number {
    return (address.length === 4 ? this.v4 : this.v6).find(address);
  }
}

/** Starts of `width` 32-bit words each, and what begins there. */
class Ranges {
  private starts: Uint32Array<ArrayBuffer>;
  private asns = new Uint32Array(1 << 16);
  private count = 0;
  private readonly end: Uint32Array;
  private readonly wanted: Uint32Array;

  constructor(private readonly width: number) {
    this.starts = new Uint32Array(this.asns.length * width);
    this.end = new Uint32Array(width);
    this.wanted = new Uint32Array(width);
  }

  /** Both ends belong to the range. False when it begins before the last one. */
  add(start: Uint32Array, end: Uint32Array, asn: number): boolean {
    if (this.count > 0) {
      // What lies between two ranges is nobody's. Ranges that overlap: the later begins where it begins.
      if (increase(this.end) && compare(this.end, 0, start) < 0) this.push(this.end, 0);
      if (compare(this.starts, (this.count - 1) * this.width, start) > 0) return false;
    }
    this.push(start, asn);
    this.end.set(end);
    return true;
  }

  /** To be called once, after the last range. */
  seal(): void {
    if (this.count > 0 && increase(this.end)) this.push(this.end, 0);
    this.starts = this.starts.slice(0, this.count * this.width);
    this.asns = this.asns.slice(0, this.count);
  }

  find(address: Address): number {
    const { wanted, width, starts } = this;
    for (let i = 0, at = 0; i < width; i++, at += 4)
      wanted[i] =
        ((address[at] as number) << 24) |
        ((address[at + 1] as number) << 16) |
        ((address[at + 2] as number) << 8) |
        (address[at + 3] as number);
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(starts, middle * width, wanted) <= 0) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? 0 : (this.asns[low - 1] as number);
  }

  private push(start: Uint32Array, asn: number): void {
    if (this.count === this.asns.length) {
      this.starts = grown(this.starts);
      this.asns = grown(this.asns);
    }
    this.starts.set(start, this.count * this.width);
    this.asns[this.count++] = asn;
  }
}

/** Negative when the key at `at` comes before `key`. */
function compare(keys: Uint32Array, at: number, key: Uint32Array): number {
  for (let i = 0; i < key.length; i++) {
    const difference = (keys[at + i] as number) - (key[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** To the next address; false when there is none, and all are zero. */
function increase(key: Uint32Array): boolean {
  for (let i = key.length - 1; i >= 0; i--) {
    key[i] = (key[i] as number) + 1;
    if (key[i] !== 0) return true;
  }
  return false;
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2);
  larger.set(array);
  return larger;
}

/** Reads a field into `into`; gives the position of the comma behind it. */
type ReadField = (line: Uint8Array, from: number, into: Uint32Array) => number;

function readRanges(path: string, into: Ranges, readField: ReadField): void {
  const [start, end, asn] = [
    new Uint32Array(readField === readV6 ? 4 : 1),
    new Uint32Array(readField === readV6 ? 4 : 1),
    new Uint32Array(1),
  ];
  let lineNumber = 0;
  eachLine(path, (bytes, from) => {
    lineNumber++;
    const endFrom = readField(bytes, from, start);
    const asnFrom = readField(bytes, endFrom + 1, end);
    const after = readWhole(bytes, asnFrom + 1, asn);
    const isRead = bytes[endFrom] === COMMA && bytes[asnFrom] === COMMA && (bytes[after] === COMMA || bytes[after] === LINE_END);
    if (!isRead || compare(start, 0, end) > 0 || !into.add(start, end, asn[0] as number))
      throw new SyntaxError(
        `${basename(path)}, line ${lineNumber}: not "start,end,asn,..." in the order of start; install the package anew`,
      );
  });
  into.seal();
}

/** Lines end with LF. The bytes are a window of the file: valid during the call alone. */
function eachLine(path: string, take: (bytes: Uint8Array, from: number) => void): void {
  const bytes = new Uint8Array(CHUNK_BYTES);
  const file = openSync(path, 'r');
  try {
    let kept = 0;
    for (;;) {
      const read = readSync(file, bytes, kept, bytes.length - kept, null);
      let length = kept + read;
      // The last line may lack its end.
      if (read === 0 && kept > 0) bytes[length++] = LINE_END;
      let from = 0;
      for (let to = bytes.indexOf(LINE_END); to !== -1 && to < length; to = bytes.indexOf(LINE_END, from)) {
        take(bytes, from);
        from = to + 1;
      }
      if (read === 0) return;
      bytes.copyWithin(0, from, length);
      kept = length - from;
      if (kept >= bytes.length - 1) throw new SyntaxError(`${basename(path)} has a line of more than ${CHUNK_BYTES} bytes`);
    }
  } finally {
    closeSync(file);
  }
}

function readWhole(line: Uint8Array, from: number, into: Uint32Array): number {
  let value = 0;
  let at = from;
  for (; (line[at] as number) >= 0x30 && (line[at] as number) <= 0x39; at++) value = value * 10 + (line[at] as number) - 0x30;
  into[0] = value;
  return at > from && value <= 0xffff_ffff ? at : -1;
}

/** Groups of hex digits, `::` once for as many zeros as are missing. */
function readV6(line: Uint8Array, from: number, into: Uint32Array): number {
  const groups = GROUPS.fill(0);
  let count = 0;
  let gapAt = -1;
  let at = from;
  for (; count <= 8; at++) {
    const digit = HEX[line[at] as number] as number;
    if (digit >= 0) groups[count] = ((groups[count] as number) << 4) | digit;
    else if (line[at] !== COLON) break;
    else if (line[at + 1] === COLON && gapAt === -1) {
      if (at > from) count++;
      gapAt = count;
      at++;
    } else if ((HEX[line[at + 1] as number] as number) >= 0) count++;
    else return -1;
  }
  // After `::` at the very end there is no group more.
  if (line[at - 1] !== COLON) count++;
  if (count > 8 || (gapAt === -1 && count !== 8)) return -1;
  if (gapAt !== -1) {
    groups.copyWithin(8 - (count - gapAt), gapAt, count);
    groups.fill(0, gapAt, 8 - (count - gapAt));
  }
  for (let i = 0; i < 4; i++) into[i] = ((groups[i * 2] as number) << 16) | (groups[i * 2 + 1] as number);
  return at;
}

const GROUPS = new Uint16Array(9);
const HEX = Int8Array.from({ length: 256 }, (_, code) => '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase()));
