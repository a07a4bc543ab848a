/** CRC-32C (Castagnoli), eight bytes a step: a table for each of the eight. */
export function crc32c(bytes: Uint8Array, start: number, end: number): number {
  let crc = -1;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ (byte(bytes, at) | (byte(bytes, at + 1) << 8) | (byte(bytes, at + 2) << 16) | (byte(bytes, at + 3) << 24));
    crc =
      entry(7, low & 0xff) ^
      entry(6, (low >>> 8) & 0xff) ^
      entry(5, (low >>> 16) & 0xff) ^
      entry(4, low >>> 24) ^
      entry(3, byte(bytes, at + 4)) ^
      entry(2, byte(bytes, at + 5)) ^
      entry(1, byte(bytes, at + 6)) ^
      entry(0, byte(bytes, at + 7));
  }
  for (; at < end; at++) crc = entry(0, (crc ^ byte(bytes, at)) & 0xff) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

const POLYNOMIAL = 0x82f63b78;
const TABLES = tables();
const entry = (table: number, index: number): number => TABLES[(table << 8) | index] as number;
const byte = (bytes: Uint8Array, at: number): number => bytes[at] as number;

function tables(): Int32Array {
  const made = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    made[i] = crc;
  }
  for (let i = 0; i < 256; i++)
    for (let table = 1; table < 8; table++) {
      const before = made[((table - 1) << 8) | i] as number;
      made[(table << 8) | i] = (made[before & 0xff] as number) ^ (before >>> 8);
    }
  return made;
}
