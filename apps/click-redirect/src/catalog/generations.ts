import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';

/** A catalog folder holds generations, `g1`, `g2`, …, and `CURRENT`, the name of the one that serves. A generation is complete before it is named. */
export const generationFolder = (folder: string, generation: number): string => join(folder, `g${generation}`);

/** Null: nothing has been loaded yet. */
export function currentGeneration(folder: string): number | null {
  const named = namedGeneration(folder);
  return named !== null && existsSync(generationFolder(folder, named)) ? named : null;
}

/** One that was never there: the name of a generation that was moved aside must not come to mean one that is still being read. */
export const nextGeneration = (folder: string): number => Math.max(0, namedGeneration(folder) ?? 0, ...generationsIn(folder)) + 1;

export function makeCurrent(folder: string, generation: number): void {
  const draft = join(folder, 'CURRENT.draft');
  const file = openSync(draft, 'w');
  try {
    writeSync(file, `g${generation}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(draft, join(folder, 'CURRENT'));
  syncFolder(folder);
}

/** Ascending. */
export function generationsIn(folder: string): number[] {
  mkdirSync(folder, { recursive: true });
  const numbers = readdirSync(folder).map(numberOf);
  return numbers.filter((n) => n !== null).sort((a, b) => a - b);
}

export const removeGeneration = (folder: string, generation: number): void =>
  rmSync(generationFolder(folder, generation), { recursive: true, force: true });

/** Kept for whoever wants to know why, one of it at a time. */
export function moveAside(folder: string, generation: number): string {
  const damaged = join(folder, 'damaged');
  rmSync(damaged, { recursive: true, force: true });
  renameSync(generationFolder(folder, generation), damaged);
  syncFolder(folder);
  return damaged;
}

const PAGE_HEADER_BYTES = 24;
const META_BYTES = 152;
const MAGIC = 0xbeefc0de;

/**
 * What is wrong with a generation, null when nothing is seen. LMDB maps its file: pages that its root names and the file does not hold would end
 * the whole process with SIGBUS, so that a cut file must be seen before it is opened.
 */
export function damageOf(folder: string, generation: number): string | null {
  const path = join(generationFolder(folder, generation), 'data.mdb');
  if (!existsSync(path)) return 'data.mdb is missing';
  const bytes = statSync(path).size;
  const file = openSync(path, 'r');
  try {
    const first = metaPage(file, 0);
    if (!first) return 'data.mdb is no LMDB file';
    const second = metaPage(file, first.pageBytes);
    if (!second) return 'data.mdb has lost its second root';
    const { lastPage } = first.transaction > second.transaction ? first : second;
    const needed = (lastPage + 1) * first.pageBytes;
    return bytes < needed ? `data.mdb is cut: it has ${bytes} of ${needed} bytes` : null;
  } finally {
    closeSync(file);
  }
}

/** The head of `MDB_meta` of the LMDB in use, little-endian: magic, version, address, map size, two trees of 48 bytes, last page, transaction. */
function metaPage(file: number, at: number): { pageBytes: number; lastPage: number; transaction: bigint } | null {
  const page = Buffer.alloc(PAGE_HEADER_BYTES + META_BYTES);
  if (readSync(file, page, 0, page.length, at) < page.length || page.readUInt32LE(PAGE_HEADER_BYTES) !== MAGIC) return null;
  const meta = page.subarray(PAGE_HEADER_BYTES);
  const pageBytes = meta.readUInt32LE(24);
  if (pageBytes < 512 || pageBytes > 65_536) return null;
  return { pageBytes, lastPage: Number(meta.readBigUInt64LE(120)), transaction: meta.readBigUInt64LE(128) };
}

function namedGeneration(folder: string): number | null {
  const file = join(folder, 'CURRENT');
  return existsSync(file) ? numberOf(readFileSync(file, 'utf8').trim()) : null;
}

const numberOf = (name: string): number | null => (/^g[1-9]\d{0,8}$/.test(name) ? Number(name.slice(1)) : null);

function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
