// What an image holds of ours: the compiled app, the libraries that it names, and for the command line every service's migrations.
//   node deploy/local/image-files.mjs <app> <folder>
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '../..');
/** Declarations, the compiler's notes, compiled tests. Maps stay: they turn a stack into lines of TypeScript. */
const LEFT_OUT = /\.d\.ts(\.map)?$|\.tsbuildinfo$|\.(spec|fixture|world)\.js(\.map)?$|^(specs|fixtures|testing(\.js(\.map)?)?)$/;
/** What only tests use, whatever its name: it needs what no image has. */
const FOR_TESTS = /require\("(@baton\/testing|@baton\/platform\/testing|(\.\.?\/)+testing)"\)/;

/** The app's folder and those of our packages that it names, and that those name: `apps/cli`, `libs/platform`, … */
export function ownFolders(app, root = ROOT) {
  const folders = [join('apps', app)];
  for (const folder of folders) {
    const { dependencies = {} } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) {
      if (!name.startsWith('@baton/')) continue;
      const library = join('libs', name.slice('@baton/'.length));
      if (!folders.includes(library)) folders.push(library);
    }
  }
  return folders;
}

function write(app, out) {
  for (const folder of ownFolders(app)) {
    mkdirSync(join(out, folder), { recursive: true });
    if (existsSync(join(ROOT, folder, 'migrate.mjs'))) cpSync(join(ROOT, folder, 'migrate.mjs'), join(out, folder, 'migrate.mjs'));
    cpSync(join(ROOT, folder, 'dist'), join(out, folder, 'dist'), { recursive: true, filter: isShipped });
  }
  // The job that prepares databases is the command line's; a service carries no migrations.
  if (app !== 'cli') return;
  for (const service of readdirSync(join(ROOT, 'apps')))
    if (existsSync(join(ROOT, 'apps', service, 'prisma')))
      cpSync(join(ROOT, 'apps', service, 'prisma'), join(out, 'apps', service, 'prisma'), { recursive: true });
}

function isShipped(from) {
  if (LEFT_OUT.test(basename(from))) return false;
  const code = from.replace(/\.map$/, '');
  return !(code.endsWith('.js') && FOR_TESTS.test(readFileSync(code, 'utf8')));
}

if (process.argv[1]?.endsWith('image-files.mjs')) {
  const [app, out] = process.argv.slice(2);
  if (!app || !out) throw new Error('usage: node deploy/local/image-files.mjs <app> <folder>');
  write(app, out);
}
