import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DATABASE_SERVICES } from './bootstrap';

const root = join(__dirname, '../../../..');
const text = (...path: string[]) => readFileSync(join(root, ...path), 'utf8');

describe('the ground migration', () => {
  const ground = text('libs/platform/sql/ground.sql');
  const withKeys = `${ground}\n${text('libs/platform/sql/keys.sql')}`;

  it.each([...DATABASE_SERVICES.map((service) => `apps/${service}`), 'libs/platform'])(
    'of %s is sql/ground.sql to the letter, with sql/keys.sql where API keys are checked',
    (folder) => {
      const migration = text(folder, 'prisma/migrations/00000000000001_ground/migration.sql');
      expect([ground, withKeys]).toContain(migration);
    },
  );

  it.each(['apps/conversion-ingest', 'apps/reward-fulfillment', 'libs/platform'])(
    'of %s is followed by sql/key-limits.sql, as everywhere where API keys are checked',
    (folder) => {
      expect(
        text(folder, 'prisma/migrations/00000000000010_key_limits/migration.sql').startsWith(text('libs/platform/sql/key-limits.sql')),
      ).toBe(true);
    },
  );

  it('is asked of every app that has migrations', () => {
    const apps = readdirSync(join(root, 'apps')).filter((app) => existsSync(join(root, 'apps', app, 'prisma/migrations')));
    expect(apps.sort()).toEqual([...DATABASE_SERVICES].sort());
  });
});
