import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(__dirname, '../../..');
const example = readFileSync(join(root, '.env.example'), 'utf8');
const documented = [...example.matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map((m) => m[1] as string);

/** The variables that a file with an environment class reads: decorated properties in capitals. */
const declared = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/\)\s+([A-Z][A-Z0-9_]+)\s*[!?]?\s*[:=]/g)].map((m) => m[1] as string);

describe('.env.example', () => {
  const files = [
    join(root, 'libs/platform/src/run/env.ts'),
    ...readdirSync(join(root, 'apps'))
      .map((app) => join(root, 'apps', app, 'src/env.ts'))
      .filter(existsSync),
  ];
  const all = new Set(files.flatMap(declared));

  it('has every variable that a service reads, and none that nobody reads', () => {
    expect([...all].filter((name) => !documented.includes(name))).toEqual([]);
    const composed = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
    const isComposed = (name: string): boolean => composed.includes('${' + name + ':-');
    expect(
      documented.filter((name) => !all.has(name) && !isComposed(name) && !/^(POSTGRES_ADMIN_URL|BATON_BASE_PORT)$/.test(name)),
    ).toEqual([]);
  });

  it('says why for each', () => {
    const lines = example.split('\n');
    for (const name of documented) {
      const at = lines.findIndex((line) => new RegExp(`^#? ?${name}=`).test(line));
      expect({ name, why: (lines[at - 1] ?? '').startsWith('# ') && !/^# ?[A-Z_]+=/.test(lines[at - 1] ?? '') }).toEqual({
        name,
        why: true,
      });
    }
  });
});
