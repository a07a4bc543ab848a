import type { Command } from 'commander';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { isEnd } from './upload-counts';
import { contentTypeOf, keyOf, runUpload, say, wholeFrom1 } from './upload-run';

interface ImportOptions {
  readonly api?: string;
  readonly keyFile?: string;
  readonly tenant?: string;
  readonly format?: string;
  readonly rejects?: string;
  readonly resumeFrom: number;
  readonly dryRun?: true;
  readonly attempts: number;
}

/** `baton links import`: as many links as a file has. */
export function registerLinks(program: Command): void {
  program
    .command('links')
    .description('partners’ links')
    .command('import')
    .description('make links from a file, one a row: NDJSON, or CSV with a header')
    .argument('<file>', 'NDJSON (.ndjson, .jsonl) or CSV (.csv)')
    .option('--api <url>', 'where control-plane answers (BATON_API_URL)')
    .option('--key-file <file>', 'a file with an API key that has the scope catalog:write (else BATON_API_KEY)')
    .option('--tenant <id>', 'with the operator’s key: the tenant to act for')
    .option('--format <format>', 'ndjson or csv; else by the file’s name')
    .option('--rejects <file>', 'write what was rejected, and why, as NDJSON')
    .option('--resume-from <row>', 'leave out the rows before it', wholeFrom1, 1)
    .option('--attempts <count>', 'after a failure go on this often where it ended', wholeFrom1, 10)
    .option('--dry-run', 'check every row, store nothing')
    .addHelpText(
      'after',
      `
Columns: program_id, partner_id, destination; if you like id, slug, sub1 to sub99, sid, sub_ids.<name> and what else a link has (see /openapi.json).
Nothing happens twice: the rows of a file are recognised when it is imported again, so after any failure run the same command once more.

Examples:
  baton links import spring.csv --api https://admin.example.com --key-file key.txt --rejects rejects.ndjson
  BATON_API_URL=http://127.0.0.1:3001 BATON_API_KEY=bk_live_… baton links import links.ndjson --dry-run`,
    )
    .action((file: string, options: ImportOptions) => importLinks(file, options));
}

async function importLinks(file: string, options: ImportOptions): Promise<void> {
  const url = urlOf(options);
  if (options.dryRun) url.searchParams.set('dry_run', 'true');
  const headers = {
    Authorization: `Bearer ${keyOf(options)}`,
    'Content-Type': contentTypeOf(file, options.format),
    'Idempotency-Key': await digestOf(file),
    ...(options.tenant === undefined ? {} : { 'Baton-Tenant': options.tenant }),
  };
  const rejects = options.rejects === undefined ? null : createWriteStream(options.rejects);
  let catalogVersion: unknown = null;
  try {
    const { rows, of } = await runUpload({
      service: 'control-plane',
      kinds: ['created', 'exists', 'rejected'],
      url,
      headers,
      file,
      firstRow: options.resumeFrom,
      attempts: options.attempts,
      rejected: (told) => void rejects?.write(`${JSON.stringify(told)}\n`),
      ended: (told) => void (isEnd(told) && told.done && (catalogVersion = told['catalog_version'])),
    });
    say(
      `${rows} rows: ${of['created']} ${options.dryRun ? 'would be created' : 'created'}, ${of['exists']} were there, ${of['rejected']} rejected` +
        (typeof catalogVersion === 'number' ? `; live from catalog version ${catalogVersion} on` : ''),
    );
    if (of['rejected']) process.exitCode = 2;
  } finally {
    await close(rejects);
  }
}

function urlOf({ api = process.env['BATON_API_URL'] }: ImportOptions): URL {
  if (!api) throw new Error('where is control-plane? Give --api https://admin.example.com, or set BATON_API_URL');
  try {
    return new URL('/v1/links:bulk', api);
  } catch {
    throw new Error(`--api ${api} is not a URL`);
  }
}

/** The file names its own upload, so that a row without an id is recognised when the file is sent again. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await finished(createReadStream(file).on('data', (chunk) => hash.update(chunk)));
  return hash.digest('hex');
}

async function close(stream: WriteStream | null): Promise<void> {
  if (!stream) return;
  stream.end();
  await finished(stream);
}
