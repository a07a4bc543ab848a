// Generates Prisma clients where their schema changed, then compiles everything that changed.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './settings.mjs';
import { checkNode, ensureInstalled, runQuiet } from './install.mjs';
import { failWith, step } from './progress.mjs';

/** The folders of packages that have a Prisma schema. */
export const schemaFolders = () =>
  ['libs', 'apps']
    .flatMap((kind) => readdirSync(join(ROOT, kind)).map((name) => join(kind, name)))
    .filter((folder) => existsSync(join(ROOT, folder, 'prisma/schema.prisma')));

export async function ensureGenerated() {
  for (const folder of schemaFolders()) {
    const schema = readFileSync(join(ROOT, folder, 'prisma/schema.prisma'));
    const hash = createHash('sha256').update(schema).digest('hex');
    const stamp = join(ROOT, folder, 'src/generated/.schema-hash');
    if (!/^\s*generator /m.test(schema.toString())) continue;
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) continue;
    // Generating needs no engine; Prisma would want to download one unless it is told of a file that exists.
    const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' };
    await step(`generate the Prisma client of ${folder}`, () =>
      runQuiet('npx', ['prisma', 'generate', '--schema', join(folder, 'prisma/schema.prisma')], { env }),
    );
    writeFileSync(stamp, hash);
  }
}

export async function build() {
  await ensureGenerated();
  await step('compile', () => runQuiet('npx', ['tsc', '-b'], { lines: 60 }));
}

const HELP = `Generates the Prisma clients and compiles all packages (tsc -b), what changed alone.

  npm run build
`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--help')) process.stdout.write(HELP);
  else {
    try {
      checkNode();
      await ensureInstalled();
      await build();
    } catch (error) {
      failWith(error);
    }
  }
}
