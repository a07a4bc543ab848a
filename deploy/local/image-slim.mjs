// Takes from an installed folder what the app never opens: packages that only builders use, declarations, maps, other platforms' binaries, other
// databases' engines, data files that are not read. Licences stay. Run in the folder that holds node_modules/; also read by the bill of materials:
// afterwards package.json names this one app, and the installed packages are exactly what it needs.
//   node image-slim.mjs <app>
import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const NEVER_OPENED = /\.(d\.[cm]?ts|[cm]?js\.map|md|markdown)$|^(test|tests|__tests__|\.github|tsconfig\.json)$/i;
/** Folders where most files are never opened: which of them stay. */
const KEPT = {
  '@ip-location-db/asn': /^(asn-ipv4-num|asn-ipv6)\.csv$/,
  '@ip-location-db/geo-whois-asn-country-mmdb': /^geo-whois-asn-country\.mmdb$/,
  '@prisma/client/runtime': /^(client|index-browser)\.js$|^query_compiler_(small|fast)_bg\.postgresql\.(wasm-base64\.)?js$/,
  'fs-native-extensions/prebuilds': /^linux-/,
  // A page to try the API is not served.
  'swagger-ui-dist': /^(absolute-path|index)\.js$/,
};
const PAPERS = /^(package\.json|licen[cs]e|notice|copying)/i;

const app = process.argv[2];
const root = process.cwd();

function main() {
  if (!app) throw new Error('usage: node image-slim.mjs <app>');
  const used = usedPackages(join(root, 'apps', app));
  for (const folder of installed(root)) if (!used.has(folder)) rmSync(folder, { recursive: true, force: true });
  const links = join(root, 'node_modules/@baton');
  for (const name of existing(links)) if (!existsSync(join(links, name))) rmSync(join(links, name));
  for (const path of ['package-lock.json', 'node_modules/.package-lock.json', 'node_modules/.bin']) rmSync(path, { recursive: true, force: true });
  for (const [name, kept] of Object.entries(KEPT)) keepOnly(join('node_modules', name), kept);
  for (const folder of used) slim(folder);
  nameApp(used);
}

/** The folders of the app and of everything that it needs, as Node would find them. What a package can use but does not need is no part of it. */
function usedPackages(first) {
  const folders = new Set([first]);
  for (const folder of folders) {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifestOf(folder);
    const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
    for (const name of [...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers]) {
      const found = findPackage(name, folder);
      // A binary of another platform is not there; whatever else is missing will be missed.
      if (found) folders.add(found);
      else if (!optionalDependencies?.[name]) throw new Error(`${relative(root, folder)} needs ${name}, which is not installed`);
    }
  }
  return folders;
}

function findPackage(name, from) {
  for (let folder = from; folder.startsWith(root); folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name);
    if (existsSync(path)) return realpathSync(path);
  }
  return undefined;
}

/** Every package's folder under a folder: our own, npm's, and what npm put beside the one that wants another version. */
function installed(folder) {
  const own = ['apps', 'libs'].flatMap((kind) => existing(join(folder, kind)).map((name) => join(folder, kind, name)));
  const modules = join(folder, 'node_modules');
  const theirs = existing(modules)
    .filter((name) => !name.startsWith('.'))
    .flatMap((name) => (name.startsWith('@') ? existing(join(modules, name)).map((inner) => join(name, inner)) : [name]))
    .map((name) => join(modules, name))
    .filter((path) => !lstatSync(path).isSymbolicLink());
  return [...own, ...theirs].flatMap((path) => [...installed(path), path]);
}

const existing = (folder) => (existsSync(folder) ? readdirSync(folder) : []);
const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

function slim(folder) {
  for (const name of existing(folder)) {
    const path = join(folder, name);
    if (lstatSync(path).isSymbolicLink() || name === 'node_modules') continue;
    if (NEVER_OPENED.test(name) && !PAPERS.test(name)) rmSync(path, { recursive: true });
    else if (statSync(path).isDirectory()) slim(path);
  }
}

function keepOnly(folder, kept) {
  const names = existing(folder);
  // A release that names its files otherwise must not leave an image without them.
  if (names.length > 0 && !names.some((name) => kept.test(name))) throw new Error(`${folder} holds none of what an app opens (${kept}): mend KEPT`);
  for (const name of names) if (!kept.test(name) && !PAPERS.test(name)) rmSync(join(folder, name), { recursive: true });
}

/** What is left says so itself: no tools of the build are named any more, and the root is this app alone. */
function nameApp(used) {
  const own = [...used].filter((folder) => !relative(root, folder).startsWith('node_modules'));
  for (const folder of own) {
    const { devDependencies: _, nx: __, ...manifest } = manifestOf(folder);
    writeManifest(folder, manifest);
  }
  const { name, version, license } = manifestOf(join(root, 'apps', app));
  writeManifest(root, { name: `baton-${app}`, version, private: true, license, dependencies: { [name]: `file:apps/${app}` } });
}

const writeManifest = (folder, manifest) => writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);

main();
