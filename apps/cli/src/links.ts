import type { Command } from 'commander';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, readFileSync, statSync, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { type Counts, nextCounts, progressText, type Told } from './link-counts';
import { uploadLinks } from './link-upload';

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

const WAIT_MAX_MS = 30_000;
const TOLD_EVERY_MS = 5_000;

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
    .option('--resume-from <row>', 'leave out the rows before it', whole, 1)
    .option('--attempts <count>', 'after a failure go on this often where it ended', whole, 10)
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
  const request = {
    url: urlOf(options),
    key: keyOf(options),
    tenant: options.tenant,
    contentType: contentTypeOf(file, options.format),
    idempotencyKey: await digestOf(file),
    dryRun: options.dryRun === true,
  };
  const bytes = statSync(file).size;
  const rejects = options.rejects === undefined ? null : createWriteStream(options.rejects);
  const show = shower(bytes);
  let counts: Counts = { rows: options.resumeFrom - 1, created: 0, exists: 0, rejected: 0, catalogVersion: null };
  let [attempts, sentBytes, rejectedUpTo] = [0, 0, 0];
  for (;;) {
    const before = counts;
    const listen = (told: Told): void => {
      if ('row' in told) {
        // After a broken connection the same row may be told again.
        if (told.row > rejectedUpTo) rejects?.write(`${JSON.stringify(told)}\n`);
        rejectedUpTo = Math.max(rejectedUpTo, told.row);
        return;
      }
      counts = nextCounts(before, told);
      show(counts, sentBytes);
    };
    const sent = (count: number): void => void (sentBytes = count);
    const end = await uploadLinks({ ...request, file, firstRow: before.rows + 1, listen, sent });
    if (end.kind === 'done') break;
    attempts = counts.rows > before.rows ? 1 : attempts + 1;
    if (end.kind === 'refused' || attempts > options.attempts) {
      await close(rejects);
      const hint =
        end.kind === 'refused'
          ? ''
          : ` ${counts.rows} rows are done: run the same again, with --resume-from ${counts.rows + 1} to save time.`;
      throw new Error(`${end.why.replace(/\.$/, '')}.${hint}`);
    }
    const waitMs = Math.min(WAIT_MAX_MS, 500 * 2 ** attempts);
    complain(`\n${end.why}; going on from row ${counts.rows + 1} in ${waitMs / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  await close(rejects);
  complain('');
  say(
    `${counts.rows} rows: ${counts.created} ${options.dryRun ? 'would be created' : 'created'}, ${counts.exists} were there, ${counts.rejected} rejected` +
      (counts.catalogVersion === null ? '' : `; live from catalog version ${counts.catalogVersion} on`),
  );
  if (counts.rejected > 0) process.exitCode = 2;
}

function urlOf({ api = process.env['BATON_API_URL'] }: ImportOptions): URL {
  if (!api) throw new Error('where is control-plane? Give --api https://admin.example.com, or set BATON_API_URL');
  try {
    return new URL('/v1/links:bulk', api);
  } catch {
    throw new Error(`--api ${api} is not a URL`);
  }
}

function keyOf({ keyFile }: ImportOptions): string {
  const key = keyFile === undefined ? process.env['BATON_API_KEY'] : readFileSync(keyFile, 'utf8').trim();
  if (!key) throw new Error('which key? Give --key-file, or set BATON_API_KEY');
  return key;
}

function contentTypeOf(file: string, format = file.split('.').at(-1)?.toLowerCase()): string {
  if (format === 'csv') return 'text/csv';
  if (format === 'ndjson' || format === 'jsonl') return 'application/x-ndjson';
  throw new Error(`${file} is neither .csv nor .ndjson by its name: give --format csv or --format ndjson`);
}

/** The file names its own upload, so that a row without an id is recognised when the file is sent again. */
async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await finished(createReadStream(file).on('data', (chunk) => hash.update(chunk)));
  return hash.digest('hex');
}

/** A line that is written over on a terminal, a new one now and then elsewhere. */
function shower(totalBytes: number): (counts: Counts, sentBytes: number) => void {
  const startMs = Date.now();
  let toldMs = startMs;
  return (counts, sentBytes) => {
    const now = Date.now();
    const text = progressText(counts, totalBytes === 0 ? 1 : sentBytes / totalBytes, now - startMs);
    if (process.stderr.isTTY) process.stderr.write(`\r${text}\u001b[K`);
    else if (now - toldMs >= TOLD_EVERY_MS) {
      toldMs = now;
      complain(text);
    }
  };
}

function whole(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new Error(`${text}: give a whole number from 1`);
  return count;
}

async function close(stream: WriteStream | null): Promise<void> {
  if (!stream) return;
  stream.end();
  await finished(stream);
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const complain = (text: string): void => void process.stderr.write(`${text}\n`);
