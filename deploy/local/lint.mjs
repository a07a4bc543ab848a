// Lints every package through Nx: ESLint alone would pass over the module boundaries when the project graph is not there.
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';
import { ROOT } from './settings.mjs';
import { build } from './build.mjs';
import { checkNode, ensureInstalled } from './install.mjs';
import { failWith, Trouble } from './progress.mjs';

export function lint() {
  const env = { ...process.env, NX_DAEMON: 'false', NX_TUI: 'false', FORCE_COLOR: '0' };
  const { status, stdout, stderr } = spawnSync('npx', ['nx', 'run-many', '-t', 'lint', '--output-style=static'], {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  const said = `${stdout}${stderr}`;
  if (status !== 0) throw new Trouble(`The linter found problems:\n${said}`);
  if (/No cached ProjectGraph/.test(said)) throw new Trouble(`The module boundaries were not checked (no project graph):\n${said}`);
  const scripts = spawnSync('npx', ['eslint', '--max-warnings', '0', 'deploy', 'libs/*/*.{mjs,cjs}', 'apps/*/*.{mjs,cjs}', '*.{mjs,cjs}'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (scripts.status !== 0) throw new Trouble(`The linter found problems in the scripts:\n${scripts.stdout}${scripts.stderr}`);
  const { status: formatStatus, stdout: unformatted } = spawnSync(
    'npx',
    ['prettier', '--list-different', 'apps/**/*.ts', 'libs/**/*.ts', 'deploy/**/*.mjs', '*.{mjs,cjs}'],
    { cwd: ROOT, encoding: 'utf8' },
  );
  if (formatStatus !== 0) throw new Trouble(`Not formatted (npm run format mends it):\n${unformatted}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    checkNode();
    await ensureInstalled();
    await build();
    lint();
    console.log('lint: no problems');
  } catch (error) {
    failWith(error);
  }
}
