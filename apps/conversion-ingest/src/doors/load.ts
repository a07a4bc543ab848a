import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Door } from './door';

const load = createRequire(__filename);
const FILE = /^([a-z0-9-]+)\.door\.(?:js|ts)$/;

/** Every door of this folder, by name. */
export function loadDoors(folder = __dirname): readonly Door[] {
  return readdirSync(folder)
    .filter((file) => FILE.test(file))
    .sort()
    .map((file) => {
      const { door } = load(join(folder, file)) as { readonly door?: Door };
      if (door?.name !== FILE.exec(file)?.[1]) throw new Error(`${file} must export \`door\`, named as its file.`);
      return door as Door;
    });
}
