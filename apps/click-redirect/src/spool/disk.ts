import { closeSync, constants, fdatasync, fsyncSync, openSync, promises, readSync, write } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

/** What the spool asks of a disk: the seam at which tests lose what was not synced. */
export interface SpoolDisk {
  /** A new file; throws when there is one of that name. */
  create(name: string): Promise<SpoolFile>;
  /** Names are on disk afterwards. */
  syncFolder(): Promise<void>;
  list(): Promise<string[]>;
  sizeOf(name: string): Promise<number>;
  read(name: string, offset: number, bytes: number): Promise<Buffer>;
  remove(name: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
}

export interface SpoolFile {
  write(bytes: Buffer, position: number): Promise<void>;
  /** Data and length are on disk afterwards. Once it has failed, what the file holds beyond the last success is unknown. */
  datasync(): Promise<void>;
  close(): Promise<void>;
}

/** A folder of the local file system. */
export class FolderDisk implements SpoolDisk {
  /** One segment is read at a time. */
  private reading: { readonly name: string; readonly fd: number } | null = null;

  constructor(private readonly folder: string) {}

  async create(name: string): Promise<SpoolFile> {
    const { O_CREAT, O_EXCL, O_WRONLY } = constants;
    const handle = await promises.open(join(this.folder, name), O_CREAT | O_EXCL | O_WRONLY, 0o600);
    return {
      write: (bytes, position) => writeAll(handle.fd, bytes, position),
      datasync: () =>
        new Promise((resolve, reject) => {
          fdatasync(handle.fd, (error) => (error ? reject(error) : resolve()));
        }),
      close: () => handle.close(),
    };
  }

  async syncFolder(): Promise<void> {
    const handle = await promises.open(this.folder, constants.O_RDONLY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  }

  list(): Promise<string[]> {
    return promises.readdir(this.folder);
  }

  async sizeOf(name: string): Promise<number> {
    return (await promises.stat(join(this.folder, name))).size;
  }

  /** Synchronously: what was just written lies in memory, and only the thread that ships waits. */
  async read(name: string, offset: number, bytes: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(bytes);
    return buffer.subarray(0, readSync(this.opened(name), buffer, 0, bytes, offset));
  }

  remove(name: string): Promise<void> {
    this.forget();
    return promises.rm(join(this.folder, name), { force: true });
  }

  rename(from: string, to: string): Promise<void> {
    this.forget();
    return promises.rename(join(this.folder, from), join(this.folder, to));
  }

  private opened(name: string): number {
    if (this.reading?.name !== name) {
      this.forget();
      this.reading = { name, fd: openSync(join(this.folder, name), constants.O_RDONLY) };
    }
    return this.reading.fd;
  }

  private forget(): void {
    if (this.reading) closeSync(this.reading.fd);
    this.reading = null;
  }
}

/** A full disk may take a part and refuse the rest. */
function writeAll(fd: number, bytes: Buffer, position: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const more = (from: number): void =>
      write(fd, bytes, from, bytes.length - from, position + from, (error, written) => {
        if (error) reject(error);
        else if (from + written >= bytes.length) resolve();
        else more(from + written);
      });
    more(0);
  });
}

/** The folder, the folders above it down from the first that was just made, and that one's own parent are on disk. */
export function syncMadeFolder(folder: string, firstMade: string | undefined): void {
  for (const path of foldersToSync(resolve(folder), resolve(firstMade ?? folder))) {
    const fd = openSync(path, constants.O_RDONLY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}

/** A name is on disk once the folder that holds it is. */
export function foldersToSync(folder: string, firstMade: string): string[] {
  return folder === firstMade || folder === dirname(folder)
    ? [folder, dirname(folder)]
    : [folder, ...foldersToSync(dirname(folder), firstMade)];
}
