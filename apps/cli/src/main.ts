#!/usr/bin/env node
import { Command } from 'commander';
import { registerDatabase } from './database';
import { registerDlq } from './dlq';
import { registerEvents } from './events';
import { registerImport } from './import';
import { registerLinks } from './links';
import { registerSetup } from './setup';
import { registerTopics } from './topics';

const program = new Command('baton')
  .description('Runs and looks after a Baton platform.')
  .showHelpAfterError('(baton --help shows what there is)')
  .addHelpText('after', '\nExample: npm run baton -- dlq list --group attribution');
registerSetup(program);
registerDatabase(program);
registerTopics(program);
registerDlq(program);
registerEvents(program);
registerLinks(program);
registerImport(program);

program.parseAsync().catch((error: unknown) => {
  console.error(`baton: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
});
