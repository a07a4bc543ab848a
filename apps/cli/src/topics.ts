import { createTopics, plannedTopics } from '@baton/platform';
import type { Command } from 'commander';
import { kafkaOfEnvironment } from './environment';

/** `baton topics`. */
export function registerTopics(program: Command): void {
  const topics = program.command('topics').description('Kafka topics, as the contracts state them');
  topics
    .command('create')
    .description('create what is missing, add partitions, set retention and compaction; nothing is ever taken away')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      '\nReads KAFKA_BROKERS and TOPIC_PREFIX. Safe to run again.\nExample: KAFKA_BROKERS=127.0.0.1:9092 npm run baton -- topics create',
    )
    .action(async ({ json }: { json?: boolean }) => {
      const changes = await createTopics(kafkaOfEnvironment());
      if (json) console.log(JSON.stringify(changes));
      else for (const { topic, did } of changes) console.log(`${topic}: ${did}`);
    });
  topics
    .command('list')
    .description('show the topics there must be, with partitions and configuration')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExample: npm run baton -- topics list')
    .action(({ json }: { json?: boolean }) => {
      const plans = plannedTopics(process.env['TOPIC_PREFIX'] ?? '');
      if (json) console.log(JSON.stringify(plans));
      else
        for (const { topic, partitions, configs } of plans)
          console.log(
            `${topic.padEnd(50)} ${String(partitions).padStart(3)} partitions  ${Object.entries(configs)
              .map(([k, v]) => `${k}=${v}`)
              .join(' ')}`,
          );
    });
}
