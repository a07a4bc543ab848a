import { join } from 'node:path';
import { bootstrapDatabases, DATABASE_SERVICES, type DatabaseService, databaseUrls, migrate, schemaDiff } from '@baton/platform';
import type { Command } from 'commander';
import { required } from './environment';

/** `baton db bootstrap` and `baton migrate`. */
export function registerDatabase(program: Command): void {
  program
    .command('db')
    .description('databases and roles')
    .command('bootstrap')
    .description('make the database and the roles (owner, api, worker) of every service that has one')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nReads POSTGRES_ADMIN_URL, DATABASE_PREFIX (default baton_) and DATABASE_PASSWORD. Safe to run again.\nExample: POSTGRES_ADMIN_URL=postgresql://postgres:secret@db/postgres DATABASE_PASSWORD=secret npm run baton -- db bootstrap`,
    )
    .action(async ({ json }: { json?: boolean }) => {
      const made = await bootstrapDatabases(bootstrapOptions());
      if (json) console.log(JSON.stringify([...made.values()].map(({ database }) => database)));
      else for (const { database } of made.values()) console.log(`${database}: ready`);
    });
  const migrations = program
    .command('migrate')
    .description('apply the migrations that a database has not had')
    .option('--app <name>', `one service alone: ${DATABASE_SERVICES.join(', ')}`)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `\nReads OWNER_DATABASE_URL (with --app), else POSTGRES_ADMIN_URL, DATABASE_PREFIX and DATABASE_PASSWORD. Replicas that start at once wait for each other.\nExample: npm run baton -- migrate --app attribution`,
    )
    .action(async ({ app, json }: { app?: string; json?: boolean }) => {
      const services = app === undefined ? DATABASE_SERVICES : [known(app)];
      const applied = await migrateServices(services, app !== undefined);
      if (json) console.log(JSON.stringify(applied));
      else
        for (const { service, applied: names } of applied)
          console.log(`${service}: ${names.length > 0 ? `applied ${names.join(', ')}` : 'up to date'}`);
    });
  migrations
    .command('diff')
    .description('print the SQL that leads from an older schema.prisma to a service’s present one: what a new migration starts from')
    .option('--from <file>', 'the older schema.prisma, or "empty"', 'empty')
    .addHelpText(
      'after',
      `\nConnects to the service's database (same environment as migrate) and changes nothing. Policies, grants and partitions are written by hand.\nExample: git show main:apps/attribution/prisma/schema.prisma > /tmp/old.prisma && npm run -s baton -- migrate diff --app attribution --from /tmp/old.prisma`,
    )
    .action(async ({ from }: { from: string }, command: Command) => {
      // --app is migrate's own option, wherever it stands.
      const { app } = command.optsWithGlobals<{ app?: string }>();
      if (app === undefined) throw new Error(`name the service: baton migrate diff --app <name>; there is ${DATABASE_SERVICES.join(', ')}`);
      const service = known(app);
      process.stdout.write(await schemaDiff({ ownerUrl: ownerUrl(service, true), from, to: join(migrationsOf(service), 'schema.prisma') }));
    });
}

export interface Migrated {
  readonly service: DatabaseService;
  /** The migrations' names, in order. */
  readonly applied: readonly string[];
}

/** Each has a lock and a database of its own: they need not wait for each other. */
export const migrateServices = (services: readonly DatabaseService[], alone: boolean): Promise<Migrated[]> =>
  Promise.all(
    services.map(async (service) => ({
      service,
      applied: await migrate({ ownerUrl: ownerUrl(service, alone), folder: migrationsOf(service) }),
    })),
  );

function known(app: string): DatabaseService {
  if (!DATABASE_SERVICES.includes(app as DatabaseService))
    throw new Error(`there is no database of "${app}"; there is one of ${DATABASE_SERVICES.join(', ')}`);
  return app as DatabaseService;
}

const migrationsOf = (service: DatabaseService): string => join(__dirname, '../../..', 'apps', service, 'prisma');

export const bootstrapOptions = () => ({
  adminUrl: required('POSTGRES_ADMIN_URL', 'a superuser’s URL, such as postgresql://postgres:secret@127.0.0.1:5432/postgres'),
  databasePrefix: process.env['DATABASE_PREFIX'] ?? 'baton_',
  password: required('DATABASE_PASSWORD', 'the password of the services’ roles'),
});

function ownerUrl(service: DatabaseService, alone: boolean): string {
  const named = process.env['OWNER_DATABASE_URL'];
  return alone && named ? named : databaseUrls(bootstrapOptions(), service).owner;
}
