import { bootstrapDatabases, createTopics, DATABASE_SERVICES } from '@baton/platform';
import type { Command } from 'commander';
import { bootstrapOptions, migrateServices } from './database';
import { kafkaOfEnvironment } from './environment';

/** `baton setup`: the job that runs before the services of a version, in one. */
export function registerSetup(program: Command): void {
  program
    .command('setup')
    .description('everything that services need before they start: databases, roles, migrations, topics')
    .option('--without-bootstrap', 'databases and roles are made elsewhere; migrate and create topics alone')
    .addHelpText(
      'after',
      '\nReads POSTGRES_ADMIN_URL, DATABASE_PREFIX, DATABASE_PASSWORD, KAFKA_BROKERS and TOPIC_PREFIX. Adds and never takes away; safe to run again, ' +
        'and at once.\nExample: docker compose run --rm setup',
    )
    .action(async ({ withoutBootstrap }: { withoutBootstrap?: boolean }) => {
      await Promise.all([databases(withoutBootstrap ?? false), topics()]);
      console.log('setup: done');
    });
}

async function databases(withoutBootstrap: boolean): Promise<void> {
  if (!withoutBootstrap)
    for (const { database } of (await bootstrapDatabases(bootstrapOptions())).values()) console.log(`database ${database}: ready`);
  for (const { service, applied } of await migrateServices(DATABASE_SERVICES, false))
    console.log(`migrations of ${service}: ${applied.length > 0 ? `applied ${applied.join(', ')}` : 'up to date'}`);
}

async function topics(): Promise<void> {
  const changes = (await createTopics(kafkaOfEnvironment())).filter(({ did }) => did !== 'kept');
  for (const { topic, did } of changes) console.log(`topic ${topic}: ${did}`);
  if (changes.length === 0) console.log('topics: all there');
}
