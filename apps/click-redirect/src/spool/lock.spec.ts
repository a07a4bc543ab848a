import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { foldersToSync } from './disk';
import { FolderInUse, lockFolder } from './lock';

describe('a folder belongs to one process', () => {
  const root = mkdtempSync(join(tmpdir(), 'baton-lock-'));
  let holder: ChildProcess | undefined;
  const hold = (folder: string): Promise<ChildProcess> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, [join(__dirname, '../specs/hold-folder.cjs'), folder], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      child.stdout.once('data', () => resolve(child));
      child.once('error', reject).once('exit', (code) => reject(new Error(`the holder ended with ${code}`)));
    });
  const killed = (child: ChildProcess): Promise<unknown> => {
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    return gone;
  };
  afterAll(async () => {
    if (holder && holder.exitCode === null && holder.signalCode === null) await killed(holder);
    rmSync(root, { recursive: true, force: true });
  });

  it('while that one lives, another is told what to do; after kill -9 it is taken at once', async () => {
    const folder = join(root, 'spool');
    holder = await hold(folder);
    expect(() => lockFolder(folder)).toThrow(FolderInUse);
    expect(() => lockFolder(folder)).toThrow(
      `${folder} is in use by another process. Give each replica a folder of its own (DATA_DIR), or stop the other one.`,
    );
    await killed(holder);
    lockFolder(folder).release();
  });

  it('also within one process', () => {
    const folder = join(root, 'twice');
    const lock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(FolderInUse);
    lock.release();
    lockFolder(folder).release();
  });

  it('is made where there is none, for its owner alone', () => {
    const folder = join(root, 'new', 'deep', 'spool');
    lockFolder(folder).release();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  it('a new folder’s name is synced in every folder that was made for it, and in the one that was there', () => {
    expect(foldersToSync('/data/edge/spool', '/data/edge')).toEqual(['/data/edge/spool', '/data/edge', '/data']);
    expect(foldersToSync('/data/edge/spool', '/data/edge/spool')).toEqual(['/data/edge/spool', '/data/edge']);
  });
});
