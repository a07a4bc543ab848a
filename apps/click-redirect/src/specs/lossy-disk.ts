import type { SpoolDisk, SpoolFile } from '../spool/disk';

/** How a disk of the tests misbehaves: chances from 0 to 1 of each operation. */
export interface Faults {
  readonly write: number;
  readonly datasync: number;
  readonly create: number;
  readonly syncFolder: number;
  readonly remove: number;
  /** Turns of the event loop that an operation takes at most. */
  readonly turns: number;
}
export const SOUND: Faults = { write: 0, datasync: 0, create: 0, syncFolder: 0, remove: 0, turns: 2 };

interface Inode {
  bytes: Buffer;
  synced: Buffer;
  /** A datasync failed: what was written before it is on no disk, and no later datasync brings it there. */
  isLost: boolean;
}

const BLOCK_BYTES = 64;

/**
 * A folder that keeps what was written apart from what was synced, and names apart from names that were synced. `crash` keeps what was synced
 * and, of the rest, what chance leaves: blocks as they were, as zeros or as garbage. As on Linux, a failed datasync forgets what it should
 * have written, and the next one succeeds without it.
 */
export class LossyDisk implements SpoolDisk {
  private names = new Map<string, Inode>();
  private syncedNames = new Map<string, Inode>();
  private isDead = false;
  private gate: Promise<void> = Promise.resolve();
  readonly misuses: string[] = [];
  readonly journal: string[] = [];

  constructor(
    private readonly random: () => number,
    public faults: Faults = SOUND,
  ) {}

  /** Nothing ends until the function that it gives is called. */
  hang(): () => void {
    let release = (): void => undefined;
    this.gate = new Promise((resolve) => (release = resolve));
    return release;
  }

  /** What a machine finds when it comes back; this disk is gone. `kill`: only the process died, and the machine lost nothing. */
  crash(kind: 'power' | 'kill'): LossyDisk {
    this.isDead = true;
    const after = new LossyDisk(this.random);
    for (const name of new Set([...this.names.keys(), ...this.syncedNames.keys()])) {
      const [now, synced] = [this.names.get(name), this.syncedNames.get(name)];
      const inode = kind === 'kill' || this.random() < 0.5 ? now : synced;
      if (!inode) continue;
      const bytes = kind === 'kill' ? inode.bytes : this.remains(inode);
      const left = { bytes, synced: bytes, isLost: false };
      after.names.set(name, left);
      after.syncedNames.set(name, left);
    }
    return after;
  }

  /** A part of a file goes bad. */
  spoil(name: string, offset: number, byte: number): void {
    (this.names.get(name) as Inode).bytes[offset] = byte;
  }

  async create(name: string): Promise<SpoolFile> {
    await this.operation();
    if (this.names.has(name)) throw failure('EEXIST', name);
    // It may fail before the name is there, and after.
    const isMade = !this.happens(this.faults.create) || this.random() < 0.3;
    if (!isMade) throw failure('EIO', name);
    const inode: Inode = { bytes: Buffer.alloc(0), synced: Buffer.alloc(0), isLost: false };
    this.names.set(name, inode);
    this.journal.push(`create ${name}`);
    return {
      write: (bytes, position) => this.write(name, inode, bytes, position),
      datasync: () => this.datasync(name, inode),
      close: () => this.operation(),
    };
  }

  async syncFolder(): Promise<void> {
    await this.operation();
    if (this.happens(this.faults.syncFolder)) throw failure('EIO', 'folder');
    this.syncedNames = new Map(this.names);
    this.journal.push('syncFolder');
  }

  async list(): Promise<string[]> {
    await this.operation();
    return [...this.names.keys(), 'lock'];
  }

  async sizeOf(name: string): Promise<number> {
    await this.operation();
    return this.inodeOf(name).bytes.length;
  }

  async read(name: string, offset: number, bytes: number): Promise<Buffer> {
    await this.operation();
    return Buffer.from(this.inodeOf(name).bytes.subarray(offset, offset + bytes));
  }

  async remove(name: string): Promise<void> {
    await this.operation();
    if (this.happens(this.faults.remove)) throw failure('EIO', name);
    this.names.delete(name);
    this.journal.push(`remove ${name}`);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.operation();
    const inode = this.inodeOf(from);
    if (this.names.has(to)) this.misuses.push(`${to} was taken the place of`);
    this.names.delete(from);
    this.names.set(to, inode);
  }

  private async write(name: string, inode: Inode, bytes: Buffer, position: number): Promise<void> {
    if (inode.isLost) this.misuses.push(`${name} was written after a failed datasync`);
    if (!this.syncedNames.has(name)) this.misuses.push(`${name} was written before its name was synced`);
    await this.operation();
    const isFailing = this.happens(this.faults.write);
    // A full disk takes a part.
    const taken = isFailing ? Math.floor(bytes.length * this.random()) : bytes.length;
    const grown = Buffer.alloc(Math.max(inode.bytes.length, position + taken));
    inode.bytes.copy(grown);
    bytes.copy(grown, position, 0, taken);
    inode.bytes = grown;
    this.journal.push(`write ${name}`);
    if (isFailing) throw failure('ENOSPC', name);
  }

  private async datasync(name: string, inode: Inode): Promise<void> {
    if (inode.isLost) this.misuses.push(`${name} was synced again after a failed datasync`);
    await this.operation();
    if (this.happens(this.faults.datasync)) {
      inode.isLost = true;
      throw failure('EIO', name);
    }
    if (!inode.isLost) inode.synced = Buffer.from(inode.bytes);
    this.journal.push(`datasync ${name}`);
  }

  private remains({ bytes, synced }: Inode): Buffer {
    const length = synced.length + Math.floor((bytes.length - synced.length + 1) * this.random());
    const left = Buffer.alloc(length);
    synced.copy(left);
    for (let at = synced.length; at < length; at += BLOCK_BYTES) {
      const chance = this.random();
      const end = Math.min(at + BLOCK_BYTES, length);
      if (chance < 0.6) bytes.copy(left, at, at, end);
      else if (chance < 0.8) for (let i = at; i < end; i++) left[i] = Math.floor(this.random() * 256);
    }
    return left;
  }

  private inodeOf(name: string): Inode {
    const inode = this.names.get(name);
    if (!inode) throw failure('ENOENT', name);
    return inode;
  }

  private async operation(): Promise<void> {
    const turns = Math.floor(this.random() * (this.faults.turns + 1));
    for (let i = 0; i < turns; i++) await new Promise(setImmediate);
    await this.gate;
    if (this.isDead) throw failure('EIO', 'the disk is gone');
  }

  private happens(chance: number): boolean {
    return chance > 0 && this.random() < chance;
  }
}

const failure = (code: string, of: string): Error => Object.assign(new Error(`${code}: ${of}`), { code });

/** Numbers from 0 to 1 that follow from a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
