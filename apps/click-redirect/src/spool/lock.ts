import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { tryLock } from 'fs-native-extensions';
import { syncMadeFolder } from './disk';

/** The folder belongs to another process that is alive. */
export class FolderInUse extends Error {
  override readonly name = 'FolderInUse';
}

/**
 * Takes a folder for this process alone, by a lock of the operating system, which ends with the process however it ends: in containers every
 * process is number 1, and a number in a file proves nothing. Makes the folder where there is none.
 */
export function lockFolder(folder: string): { release(): void } {
  syncMadeFolder(folder, mkdirSync(folder, { recursive: true, mode: 0o700 }));
  const fd = openSync(join(folder, 'lock'), constants.O_CREAT | constants.O_RDWR, 0o600);
  if (!tryLock(fd)) {
    closeSync(fd);
    throw new FolderInUse(
      `${folder} is in use by another process. Give each replica a folder of its own (DATA_DIR), or stop the other one.`,
    );
  }
  return { release: () => closeSync(fd) };
}
