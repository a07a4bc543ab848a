import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { allContracts, eventDocs, type Frozen, frozenFile, frozenOf, frozenText } from '@baton/contracts';
import type { Command } from 'commander';

const FOLDER = join(__dirname, '../../../docs/events');
const FROZEN = join(__dirname, '../../../libs/contracts/frozen');

/** `baton events`: the pages and schemas of docs/events, from the contracts. */
export function registerEvents(program: Command): void {
  const events = program.command('events').description('docs/events, generated from the contracts');
  events
    .command('write')
    .description('write every page, schema and sample anew')
    .addHelpText('after', '\nExample: npm run build && npm run baton -- events write')
    .action(() => {
      mkdirSync(FOLDER, { recursive: true });
      const docs = eventDocs();
      for (const [name, content] of docs) writeFileSync(join(FOLDER, name), content);
      console.log(`${docs.size} files written`);
    });
  events
    .command('check')
    .description('fail when docs/events is not what the contracts say')
    .addHelpText('after', '\nExample: npm run baton -- events check')
    .action(() => {
      const stale = [...eventDocs()]
        .filter(([name, content]) => !existsSync(join(FOLDER, name)) || readFileSync(join(FOLDER, name), 'utf8') !== content)
        .map(([name]) => name);
      if (stale.length > 0) throw new Error(`docs/events is not up to date (${stale.join(', ')}). Run: npm run baton -- events write`);
      console.log('docs/events is up to date');
    });
  events
    .command('freeze')
    .description('keep the schemas and samples as published; a change that would break subscribers is refused')
    .addHelpText('after', '\nExample: npm run build && npm run baton -- events freeze')
    .action(() => {
      mkdirSync(FROZEN, { recursive: true });
      for (const contract of allContracts()) {
        const file = join(FROZEN, frozenFile(contract));
        const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Frozen) : undefined;
        writeFileSync(file, frozenText(frozenOf(contract, before)));
      }
      console.log(`${allContracts().length} events frozen`);
    });
}
