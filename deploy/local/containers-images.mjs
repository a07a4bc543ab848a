// What every image must be: small, without what it does not need, without rights.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustRun } from './compose.mjs';
import { DATA, NODE_FLAGS, ROOT } from './settings.mjs';

const BASE = 'node:24-bookworm-slim';
/** Most megabytes that an image may add to its base: what there is, and a quarter. */
const BUDGETS_MB = {
  attribution: 42,
  cli: 42,
  'click-redirect': 100,
  'control-plane': 45,
  'conversion-ingest': 45,
  'fraud-scoring': 42,
  'reward-fulfillment': 42,
  'sample-advertiser': 1,
};
/** Not services that a supervisor asks for their health. */
const WITHOUT_CHECK = ['cli'];
const WITH_DATA = ['click-redirect', 'sample-advertiser'];
const SECRET = /KEY|SECRET|PASSWORD|TOKEN|_URL$/;

/** Every app that an image is made of. */
export const imageApps = () => readdirSync(join(ROOT, 'apps')).filter((app) => existsSync(join(ROOT, 'apps', app, 'src/main.ts')));

/** Adds a check for each thing, of each image. Gives the sizes: app -> { totalMb, ownMb }. */
export async function checkImages(check) {
  const base = await inspect(BASE);
  const sizes = {};
  for (const app of imageApps()) {
    const image = await inspect(`baton/${app}:local`);
    const ownMb = (image.Size - base.Size) / 1e6;
    sizes[app] = { totalMb: Math.round(image.Size / 1e6), ownMb: Math.round(ownMb * 10) / 10 };
    const budget = BUDGETS_MB[app] ?? 0;
    check(`image ${app}: at most ${budget} MB beside its base`, ownMb <= budget, `${ownMb.toFixed(1)} MB`);
    checkConfig(app, image.Config, check);
    await checkContent(app, check);
  }
  return sizes;
}

const inspect = async (image) => JSON.parse(await mustRun('docker', ['image', 'inspect', image]))[0];

function checkConfig(app, config, check) {
  const labels = Object.keys(config.Labels ?? {}).filter((name) => name.startsWith('org.opencontainers.image.'));
  const secrets = (config.Env ?? []).map((line) => line.split('=')[0]).filter((name) => SECRET.test(name));
  const said = [...(config.Env ?? []), ...(config.Entrypoint ?? [])].join(' ');
  const unflagged = NODE_FLAGS.filter((flag) => !said.includes(flag));
  const problems = [
    config.User === '1000:1000' ? null : `runs as "${config.User}"`,
    labels.length >= 6 ? null : `${labels.length} labels`,
    secrets.length === 0 ? null : `holds ${secrets}`,
    config.Entrypoint?.[0] === 'node' ? null : `starts ${config.Entrypoint}: a signal would not reach Node`,
    unflagged.length === 0 ? null : `starts Node without ${unflagged}`,
    WITHOUT_CHECK.includes(app) || config.Healthcheck ? null : 'has no health check',
  ].filter(Boolean);
  check(`image ${app}: not root, labelled, no secret, signals reach Node, a health check`, problems.length === 0, problems.join('; '));
}

/** Looks around inside, as the image's own user. */
async function checkContent(app, check) {
  const out = await mustRun('docker', ['run', '--rm', '--network', 'none', '--entrypoint', 'node', `baton/${app}:local`, '-e', LOOK]);
  const { sbom, ...seen } = JSON.parse(out);
  mkdirSync(join(DATA, 'sbom'), { recursive: true });
  writeFileSync(join(DATA, 'sbom', `${app}.cdx.json`), JSON.stringify(sbom, null, 2));
  const foreign = seen.apps.filter((name) => name !== app && !(app === 'cli' && seen.contents[name].join() === 'prisma'));
  const writable = seen.writable.filter((folder) => !(folder === '/data' && WITH_DATA.includes(app)));
  const listed = new Set(sbom.components.map(({ name }) => name));
  // npm lists ours by another name; they are what the image is named after.
  const unlisted = seen.packages.filter((name) => !name.startsWith('@baton/') && !listed.has(name));
  const problems = [
    foreign.length === 0 ? null : `holds other apps: ${foreign}`,
    seen.sources.length === 0 ? null : `holds sources and tests: ${seen.sources.slice(0, 3)}`,
    seen.installers.length === 0 ? null : `holds ${seen.installers}`,
    writable.length === 0 ? null : `its user may write to ${writable}`,
    unlisted.length === 0 ? null : `the bill of materials lacks ${unlisted.slice(0, 3)}`,
  ].filter(Boolean);
  const what = `image ${app}: this app alone, no sources, tests or installers, nothing writable; all ${listed.size} packages in its SBOM`;
  check(what, problems.length === 0, problems.join('; '));
}

const LOOK = `
const fs = require('node:fs'), path = require('node:path');
const own = (folder) => fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
  entry.name === 'node_modules' ? [] : entry.isDirectory() ? own(path.join(folder, entry.name)) : [path.join(folder, entry.name)]);
const canWrite = (folder) => { try { fs.accessSync(folder, fs.constants.W_OK); return true; } catch { return false; } };
const apps = fs.readdirSync('/app/apps');
const modules = '/app/node_modules';
const packages = !fs.existsSync(modules) ? [] : fs.readdirSync(modules).flatMap((name) =>
  name.startsWith('@') ? fs.readdirSync(path.join(modules, name)).map((inner) => name + '/' + inner) : [name]);
console.log(JSON.stringify({
  apps,
  contents: Object.fromEntries(apps.map((name) => [name, fs.readdirSync('/app/apps/' + name)])),
  sources: own('/app').filter((file) => /[.](ts|spec[.]js|tsbuildinfo)$/.test(file)),
  installers: ['npm', 'npx', 'corepack', 'yarn'].filter((name) => fs.existsSync('/usr/local/bin/' + name)),
  writable: ['/', '/app', '/app/apps', ...apps.map((name) => '/app/apps/' + name), modules, '/data', '/etc', '/usr/local/bin'].filter(canWrite),
  packages: packages.filter((name) => fs.existsSync(path.join(modules, name, 'package.json'))),
  sbom: JSON.parse(fs.readFileSync('/app/sbom.cdx.json', 'utf8')),
}));`;
