import type { Command } from 'commander';
import { statSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { openRejects, type RejectedRow, type Rejects } from './rejects';
import { complain, contentTypeOf, keyOf, runUpload, say, UploadFailed, wholeFrom1 } from './upload-run';

interface ImportOptions {
  readonly url?: string;
  readonly key?: string;
  readonly keyFile?: string;
  readonly format?: string;
  readonly rejects?: string;
  readonly resumeFrom: number;
  readonly attempts: number;
  readonly dryRun?: true;
  readonly yes?: true;
}

/** What the command ends with. */
const EXIT = { taken: 0, someRejected: 1, usage: 2, brokenOff: 3 } as const;
const SHOWN_MAX = 5;
const KINDS = ['accepted', 'duplicate', 'rejected', 'validated'];

/** `baton import conversions`: a file of conversions, such as the history from before Baton. */
export function registerImport(program: Command): void {
  program
    .command('import')
    .description('facts from files')
    .command('conversions')
    .description('tell Baton of the conversions in a file, one a row: CSV with a header, or NDJSON')
    .argument('<file>', 'CSV (.csv) or NDJSON (.ndjson, .jsonl)')
    .option('--url <url>', 'where conversion-ingest answers (BATON_INGEST_URL)')
    .option('--key <key>', 'an API key that has the scope conversions:write (else BATON_API_KEY)')
    .option('--key-file <file>', 'a file with the key, so that it stands in no list of processes')
    .option('--format <format>', 'csv or ndjson; else by the file’s name')
    .option('--dry-run', 'check every row, store nothing')
    .option('--rejects <file>', 'write the rejected rows with reason and detail beside them, to be mended and imported')
    .option('--resume-from <row>', 'leave out the rows before it', wholeFrom1, 1)
    .option('--attempts <count>', 'after a failure go on this often where it ended', wholeFrom1, 10)
    .option('-y, --yes', 'do not ask before it begins')
    .addHelpText(
      'after',
      `
Columns: external_id; amount (12.34) or amount_minor (1234), and currency; click_id, customer_id, email, coupon_code or referral_code;
if you like type, occurred_at, order_id, event, quantity, program_id, metadata.<name>, sub_ids.<name>, line_items.0.sku and so on.
Nothing counts twice: a row that was taken before is a duplicate, so after any failure run the same command once more.
Exit codes: 0 all taken, 1 some rows rejected, 2 wrong usage or refused as a whole, 3 broken off.

Examples:
  baton import conversions orders.csv --url https://in.example.com --key-file key.txt --dry-run
  BATON_INGEST_URL=http://127.0.0.1:3002 BATON_API_KEY=bk_live_… baton import conversions orders.csv --rejects rejects.csv --yes`,
    )
    .exitOverride((error) => process.exit(error.exitCode === 0 ? EXIT.taken : EXIT.usage))
    .action(async (file: string, options: ImportOptions) => {
      try {
        process.exitCode = await importConversions(file, options);
      } catch (error) {
        complain(`baton: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = error instanceof UploadFailed && !error.isFinal ? EXIT.brokenOff : EXIT.usage;
      }
    });
}

async function importConversions(file: string, options: ImportOptions): Promise<number> {
  const url = urlOf(options);
  if (options.dryRun) url.searchParams.set('validate_only', 'true');
  const contentType = contentTypeOf(file, options.format);
  const headers = { Authorization: `Bearer ${keyOf(options)}`, 'Content-Type': contentType };
  if (options.rejects === file) throw new Error('--rejects names the file itself: give it another name');
  if (!(await mayBegin(file, url, options))) return EXIT.usage;
  const format = contentType === 'text/csv' ? 'csv' : 'ndjson';
  const rejects = options.rejects === undefined ? null : await openRejects(file, format, options.rejects);
  const reasons = new Map<string, number>();
  try {
    const { rows, of } = await runUpload({
      service: 'conversion-ingest',
      kinds: KINDS,
      url,
      headers,
      file,
      firstRow: options.resumeFrom,
      attempts: options.attempts,
      rejected: (told) => keep(told as unknown as RejectedRow, rejects, reasons),
    });
    const taken = options.dryRun ? `${of['validated']} would be taken` : `${of['accepted']} taken`;
    say(`${rows} rows: ${taken}, ${of['duplicate']} were there, ${of['rejected']} rejected`);
    if (!of['rejected']) return EXIT.taken;
    for (const [reason, count] of [...reasons].sort(([, a], [, b]) => b - a)) complain(`${String(count).padStart(8)} ${reason}`);
    if (options.rejects !== undefined) complain(`Mend ${options.rejects} and import it in turn.`);
    return EXIT.someRejected;
  } finally {
    await rejects?.close();
  }
}

/** Without a file for them the first few are shown. */
async function keep(told: RejectedRow, rejects: Rejects | null, reasons: Map<string, number>): Promise<void> {
  reasons.set(told.reason, (reasons.get(told.reason) ?? 0) + 1);
  const count = [...reasons.values()].reduce((sum, of) => sum + of, 0);
  if (rejects) return rejects.add(told);
  if (count <= SHOWN_MAX) complain(`${told.reason}: ${told.detail}`);
  if (count === SHOWN_MAX) complain('… with --rejects <file> you get all of them');
}

/** Conversions earn somebody money, and are taken back one by one: a person is asked. */
async function mayBegin(file: string, url: URL, { yes, dryRun }: ImportOptions): Promise<boolean> {
  const megabytes = (statSync(file).size / 1_000_000).toFixed(1);
  if (yes || dryRun || !process.stdin.isTTY) return true;
  const asking = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await asking.question(`Send ${file} (${megabytes} MB) to ${url.origin}? What is taken is taken. [y/N] `);
  asking.close();
  return /^y(es)?$/i.test(answer.trim());
}

function urlOf({ url = process.env['BATON_INGEST_URL'] }: ImportOptions): URL {
  if (!url) throw new Error('where is conversion-ingest? Give --url https://in.example.com, or set BATON_INGEST_URL');
  try {
    return new URL('/v1/conversions:bulk', url);
  } catch {
    throw new Error(`--url ${url} is not a URL`);
  }
}
