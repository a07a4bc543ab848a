import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CORE_SCHEMA, load, mergeTag } from 'js-yaml';

const root = join(__dirname, '../../..');
const text = readFileSync(join(root, 'docker-compose.yml'), 'utf8');

interface ComposeService {
  readonly image: string;
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly ports?: readonly string[];
  readonly profiles?: readonly string[];
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
}

/** As docker compose reads it where neither .env nor the shell sets anything: `${NAME:-default}` is its default, which may hold another. */
const withDefaults = (value: string): string => {
  const next = value.replace(/\$\{[A-Z][A-Z0-9_]*:-([^${}]*)\}/g, '$1');
  return next === value ? value : withDefaults(next);
};
const filled = (node: unknown): unknown => {
  if (typeof node === 'string') return withDefaults(node);
  if (Array.isArray(node)) return node.map(filled);
  return node && typeof node === 'object' ? Object.fromEntries(Object.entries(node).map(([key, value]) => [key, filled(value)])) : node;
};
const compose = filled(load(text, { schema: CORE_SCHEMA.withTags(mergeTag) })) as { services: Record<string, ComposeService> };
const apps = readdirSync(join(root, 'apps')).filter((app) => existsSync(join(root, 'apps', app, 'src/main.ts')));
const withEnvClass = apps.filter((app) => /extends \w*Env\b/.test(source(join('apps', app, 'src/env.ts'))));

function source(path: string): string {
  return existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8') : '';
}

/** The variables of an environment class and of those that it extends. */
function variablesOf(text: string, className: string): string[] {
  const [, parent, body] = new RegExp(`class ${className}(?: extends (\\w+))? \\{(?:\\}|([^]*?)\\n\\})`).exec(text) ?? [];
  const own = [...(body ?? '').matchAll(/\)\s+([A-Z][A-Z0-9_]+)\s*[!?]?\s*[:=]/g)].map((m) => m[1] as string);
  return parent ? [...own, ...variablesOf(source('libs/platform/src/run/env.ts'), parent)] : own;
}

describe('docker-compose.yml', () => {
  it('runs every app that there is', () => {
    const images = Object.values(compose.services).map(({ image }) => image);
    expect(withEnvClass.length).toBeGreaterThanOrEqual(6);
    for (const app of apps) expect(images).toContain(`baton/${app}:local`);
  });

  it.each(withEnvClass)('gives %s an environment that it starts with', (app) => {
    const given = Object.entries(compose.services[app]?.environment ?? {}).map(([name, value]) => [name, String(value)]);
    // The image sets these two.
    const env = { PATH: process.env['PATH'], HOST: '0.0.0.0', PORT: '3000', ...(Object.fromEntries(given) as Record<string, string>) };
    const { status, stderr } = spawnSync(process.execPath, [join(root, 'apps', app, 'dist/main.js'), '--check-env'], {
      env,
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it.each(withEnvClass)('lets every setting of %s be set from .env', (app) => {
    const given = Object.keys(compose.services[app]?.environment ?? {});
    const wanted = variablesOf(source(join('apps', app, 'src/env.ts')), 'Env').filter((name) => !/^(HOST|PORT|CRASH_AT)$/.test(name));
    expect(wanted).toContain('KAFKA_BROKERS');
    expect(wanted.filter((name) => !given.includes(name))).toEqual([]);
  });

  it('has the defaults of .env.example', () => {
    const example = new Map([...source('.env.example').matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=(.*)$/gm)].map((m) => [m[1], m[2]]));
    const defaults = [...text.matchAll(/\$\{([A-Z][A-Z0-9_]*):-([^${}]*)\}/g)];
    expect(defaults.length).toBeGreaterThan(40);
    expect(defaults.filter(([, name, value]) => example.get(name) !== value).map(([whole]) => whole)).toEqual([]);
  });

  it('publishes ports on the loopback alone', () => {
    const ports = Object.values(compose.services).flatMap(({ ports = [] }) => ports);
    expect(ports.length).toBeGreaterThan(6);
    expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  it('gives no container of ours a right or a folder that it does not need', () => {
    const ours = Object.values(compose.services).filter(({ image }) => image.startsWith('baton/'));
    expect(ours.length).toBeGreaterThan(7);
    expect(ours.filter((service) => !service.read_only || service.cap_drop?.[0] !== 'ALL')).toEqual([]);
  });
});

describe('package.json of each app and library', () => {
  const folders = ['apps', 'libs'].flatMap((kind) => readdirSync(join(root, kind)).map((name) => join(kind, name)));
  const shipped = folders.filter((folder) => !/\/(e2e|testing)$/.test(folder));

  /** Without Node's own, types that are gone when the code runs, and what only stands in a text. */
  function packagesOf(file: string): string[] {
    const code = source(file).replace(/import type [^;]*;|`(?:\\.|[^`\\])*`/g, '');
    return [...code.matchAll(/(?:from|import|require(?:\.resolve)?\(|import\()\s*'((?:@[^/']+\/)?[a-z0-9][^/']*)[^']*'/g)]
      .map((m) => m[1] as string)
      .filter((name) => !name.startsWith('node:') && !name.startsWith('@baton/'));
  }

  it.each(shipped)('%s names what its code needs: an image holds no more', (folder) => {
    const files = readdirSync(join(root, folder, 'src'), { recursive: true, encoding: 'utf8' }).filter(
      (file) => file.endsWith('.ts') && !file.startsWith('generated/'),
    );
    // As deploy/local/image-files.mjs leaves them out.
    const forTests = (file: string): boolean =>
      /(^|\/)(specs|testing|fixtures)\/|\.(spec|fixture|world)\.ts$/.test(file) ||
      /from '(@baton\/testing|@baton\/platform\/testing|(\.\.?\/)+testing)'/.test(source(join(folder, 'src', file)));
    const needed = new Set(files.filter((file) => !forTests(file)).flatMap((file) => packagesOf(join(folder, 'src', file))));
    const { dependencies = {} } = JSON.parse(source(join(folder, 'package.json'))) as { dependencies?: Record<string, string> };
    expect([...needed].filter((name) => !(name in dependencies))).toEqual([]);
  });
});
