import type { Command } from 'commander';

export function registerDlq(program: Command): void {
  program.command('dlq').description('dead letters');
}
