// What an image holds of others: the packages that its app needs, as Node would find them, without what no app ever opens (declarations, maps,
// other platforms' binaries, other databases' engines, data files that are not read). Licences stay. The package.json in the target names this one
// app, so that `npm sbom` there tells exactly what is in the image.
//   node image-packages.mjs <app> <folder with the whole node_modules> <target folder>
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

const NEVER_OPENED = /\.(d\.[cm]?ts|[cm]?js\.map|md|markdown|tsbuildinfo)$|^(test|tests|__tests__|\.github|tsconfig\.json)$/i;
/** Folders where most files are never opened: which of them stay. */
const KEPT = {
  '@ip-location-db/asn': /^(asn-ipv4-num|asn-ipv6)\.csv$/,
  '@ip-location-db/geo-whois-asn-country-mmdb': /^geo-whois-asn-country\.mmdb$/,
  // Node 24 takes the one for any version; the base image has glibc.
  '@lmdb/lmdb-linux-x64': /^(index\.js|node\.napi\.glibc\.node)$/,
  '@lmdb/lmdb-linux-arm64': /^(index\.js|node\.napi\.glibc\.node)$/,
  '@prisma/client/runtime': /^(client|index-browser)\.js$|^query_compiler_(small|fast)_bg\.postgresql\.(wasm-base64\.)?js$/,
  'fs-native-extensions/prebuilds': /^linux-/,
  // A page to try the API is not served.
  'swagger-ui-dist': /^(absolute-path|index)\.js$/,
};
const PAPERS = /^(package\.json|licen[cs]e|notice|copying)/i;

const [app, root, target] = process.argv.slice(2);

function main() {
  if (!app || !root || !target) throw new Error('usage: node image-packages.mjs <app> <folder with node_modules> <target folder>');
  checkKept();
  for (const folder of usedPackages(join(root, 'apps', app))) {
    const place = relative(root, folder);
    if (place.startsWith('node_modules') || place.includes('/node_modules/')) copyPackage(folder, join(target, place));
    else nameOwn(folder, join(target, place));
  }
  const { name, version, license } = manifestOf(join(root, 'apps', app));
  writeManifest(target, { name: `baton-${app}`, version, private: true, license, dependencies: { [name]: `file:apps/${app}` } });
}

/** The folders of the app and of everything that it needs. What a package can use but does not need is no part of it. */
function usedPackages(first) {
  const folders = new Set([first]);
  for (const folder of folders) {
    const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta } = manifestOf(folder);
    const peers = Object.keys(peerDependencies ?? {}).filter((name) => !peerDependenciesMeta?.[name]?.optional);
    for (const name of new Set([...Object.keys({ ...dependencies, ...optionalDependencies }), ...peers])) {
      const found = findPackage(name, folder);
      // A binary of another platform is not there.
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

/** Its nested packages are packages of their own. */
function copyPackage(from, to) {
  cpSync(from, to, {
    recursive: true,
    filter: (path) => path === from || isOpened(path),
  });
}

function isOpened(path) {
  const name = basename(path);
  if (PAPERS.test(name)) return true;
  const kept = Object.entries(KEPT).find(([folder]) => dirname(path) === join(root, 'node_modules', folder))?.[1];
  return name !== 'node_modules' && (kept ? kept.test(name) || isHolder(path) : !NEVER_OPENED.test(name));
}

/** On the way to a folder that is looked at more closely. */
const isHolder = (path) => Object.keys(KEPT).some((folder) => join(root, 'node_modules', folder).startsWith(`${path}/`));

/** A release that names its files otherwise must not leave an image without them. */
function checkKept() {
  for (const [name, kept] of Object.entries(KEPT)) {
    const folder = join(root, 'node_modules', name);
    if (existsSync(folder) && !readdirSync(folder).some((file) => kept.test(file)))
      throw new Error(`${folder} holds none of what an app opens (${kept}): mend KEPT in deploy/local/image-packages.mjs`);
  }
}

/** One of ours: its manifest, without the tools of its build, and the link by which the others find it. */
function nameOwn(from, to) {
  const manifest = manifestOf(from);
  delete manifest.devDependencies;
  delete manifest.nx;
  writeManifest(to, manifest);
  const link = join(target, 'node_modules', manifest.name);
  mkdirSync(dirname(link), { recursive: true });
  symlinkSync(relative(dirname(link), to), link);
}

const manifestOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

function writeManifest(folder, manifest) {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`);
}

main();
