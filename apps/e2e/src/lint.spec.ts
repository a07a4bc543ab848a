import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const root = join(__dirname, '../../..');

/** Lints a text as if it lay at this path; gives the lines that were refused. */
function refused(path: string, lines: readonly string[]): number[] {
  const { stdout, stderr } = spawnSync('npx', ['eslint', '--stdin', '--stdin-filename', path, '--format', 'json'], {
    cwd: root,
    input: lines.join('\n'),
    encoding: 'utf8',
  });
  if (!stdout.trim().startsWith('[')) throw new Error(`eslint said: ${stdout}${stderr}`);
  const [result] = JSON.parse(stdout) as [{ messages: { line: number; ruleId: string | null }[] }];
  return [...new Set(result.messages.filter((m) => /restricted|boundaries/.test(m.ruleId ?? '')).map((m) => m.line))].sort((a, b) => a - b);
}

describe('the linter', () => {
  it('keeps a domain pure: every forbidden thing is refused, one by one', () => {
    const planted = [
      `import { Injectable } from '@nestjs/common';`,
      `import { readFileSync } from 'node:fs';`,
      `import { run } from '@baton/platform';`,
      `import { other } from '../attribution.store';`,
      `import { Kafka } from 'kafkajs';`,
      `import { PrismaClient } from '@prisma/client';`,
      `export const a = Date.now();`,
      `export const b = new Date();`,
      `export const c = Math.random();`,
      `export const d = process.env;`,
      `console.log(1);`,
      `setTimeout(() => undefined, 1);`,
      `export async function e(): Promise<void> {}`,
      `export const f = fetch('x');`,
      `export const g = new Promise(() => undefined);`,
      `export const h = import('./x');`,
    ];
    expect(refused('apps/attribution/src/domain/planted.ts', planted)).toEqual(planted.map((_, i) => i + 1));
  });

  it('lets a domain have what it needs', () => {
    expect(
      refused('apps/attribution/src/domain/planted.ts', [
        `import { nameId } from '@baton/contracts';`,
        `import { other } from './other';`,
        `import { isbot } from 'isbot';`,
        `export const a = new Date(0).toISOString();`,
        `export const b = Math.max(1, nameId('x').length, other, Number(isbot('x')));`,
      ]),
    ).toEqual([]);
  });

  it('keeps kafkajs behind its folder and test tools out of what runs', () => {
    expect(
      refused('apps/attribution/src/planted.ts', [`import { Kafka } from 'kafkajs';`, `import { eventually } from '@baton/testing';`]),
    ).toEqual([1, 2]);
  });

  it('keeps apps apart', () => {
    expect(
      refused('apps/attribution/src/main.ts', [`import { Env } from '../../fraud-scoring/src/env';`, `export const a = Env;`]),
    ).toEqual([1]);
  });
});
