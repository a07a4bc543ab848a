import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** Prisma's schema engine is an ES module that brings WebAssembly: it runs as a program of its own. */
const PROGRAM = join(__dirname, '../../migrate.mjs');

/**
 * Applies the migrations in `<folder>/migrations` that the database has not had, in order, under an advisory lock. Gives their names.
 * Throws with the migration and the statement that failed.
 */
export async function migrate({ ownerUrl, folder }: { readonly ownerUrl: string; readonly folder: string }): Promise<string[]> {
  try {
    const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, folder], { env: { ...process.env, OWNER_URL: ownerUrl, NODE_OPTIONS: '--no-warnings' } });
    return (JSON.parse(stdout) as { applied: string[] }).applied;
  } catch (error) {
    throw new Error(String((error as { stderr?: string }).stderr || error).trim(), { cause: error });
  }
}
