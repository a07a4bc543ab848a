import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  counter,
  type Http,
  InfrastructureError,
  type Log,
  Problem,
  problemBody,
  problemOf,
  takesTime,
  traceparentOf,
} from '@baton/platform';
import { Readable } from 'node:stream';
import { checkColumns } from './bulk-check';
import type { Importing, LinkImport, Verdict } from './bulk-import';
import { batchesOf, type BatchLimits, cutUpload, type Format, type Row } from './bulk-rows';
import type { CallerGuard } from './caller';

export interface BulkOptions {
  readonly guard: CallerGuard;
  readonly imports: LinkImport;
  readonly log: Log;
  readonly limits?: BatchLimits;
}

interface Query {
  readonly verdicts?: string;
  readonly dry_run?: string;
  readonly resume_from?: string;
}
interface Asked extends Importing {
  readonly rejectedOnly: boolean;
  readonly firstRow: number;
}
/** What is counted of an upload. */
interface Tally {
  rows: number;
  created: number;
  exists: number;
  rejected: number;
  catalogVersion: number;
}

const FORMATS: Readonly<Record<string, Format>> = { 'application/x-ndjson': 'ndjson', 'application/ndjson': 'ndjson', 'text/csv': 'csv' };
/** A thousand links hold the catalog's clock for a tenth of a second: that long a single change waits at most. */
const LIMITS: BatchLimits = { rowsMax: 1_000, charactersMax: 4 * 1024 * 1024, waitMs: 1_000 };
const PROGRESS_EVERY_ROWS = 10_000;
const PROGRESS_EVERY_MS = 1_000;
const IDLE_MAX_MS = 60_000;
/** Each holds one batch in memory, and all wait for the same clock. */
const UPLOADS_MAX = 8;
/** After an early end: long enough for the last line to be read, then the rest of the upload is refused by closing. */
const FAREWELL_MS = 2_000;
const GONE = new Set(['ECONNRESET', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE']);
const KEY = /^[\x21-\x7e]{1,200}$/;

/**
 * `POST /v1/links:bulk`, answered by Fastify itself, since neither the upload nor the answer ever stands in memory whole. Rows are taken no faster than
 * they are stored and their verdicts are read: whoever sends must read at the same time.
 */
export class BulkController {
  private uploads = 0;
  private stopping = false;
  private readonly imported = counter('baton_links_imported_total', 'Rows of link uploads, by verdict', ['status']);

  constructor(private readonly options: BulkOptions) {}

  routes(http: Http): void {
    void http
      .getHttpAdapter()
      .getInstance()
      .register((scope: FastifyInstance, _options: object, done: () => void) => {
        // In a scope of its own: everywhere else only JSON is read.
        scope.removeAllContentTypeParsers();
        scope.addContentTypeParser('*', (_request, payload, parsed) => parsed(null, payload));
        scope.setErrorHandler((error, request, reply) => this.refuse(error, request, reply));
        // An upload takes minutes and a stop does not wait for it: what was answered is stored, and the rest can be sent again.
        scope.addHook('preClose', (closed) => {
          this.stopping = true;
          closed();
        });
        // Two colons are one: a single one would begin a parameter.
        scope.post<{ Querystring: Query }>('/v1/links::bulk', (request, reply) => this.answer(request, reply));
        done();
      });
  }

  private async answer(request: FastifyRequest<{ Querystring: Query }>, reply: FastifyReply): Promise<FastifyReply> {
    const tenantId = await this.options.guard.tenantFor(request);
    const format = FORMATS[String(request.headers['content-type']).split(';')[0]?.trim().toLowerCase() ?? ''];
    if (!format) throw new Problem('unsupported_media_type', 'Send application/x-ndjson, or text/csv with a header.');
    const asked = askedOf(request, tenantId);
    if (this.uploads >= UPLOADS_MAX)
      throw new Problem('over_quota', `${UPLOADS_MAX} uploads are under way here already.`, { headers: { 'Retry-After': '30' } });
    const patience = takesTime(request.raw.socket, IDLE_MAX_MS);
    this.uploads++;
    const end = (): void => {
      this.uploads--;
      patience.end();
    };
    try {
      const { columns, pieces } = await cutUpload(request.body as AsyncIterable<Buffer>, format);
      if (columns) checkColumns(columns);
      const batches = batchesOf(pieces, asked.firstRow, this.options.limits ?? LIMITS);
      const lines = Readable.from(this.lines(batches, { ...asked, columns }), { objectMode: true, highWaterMark: 1 });
      lines.once('close', () => {
        end();
        farewell(request);
      });
      return reply.code(200).type('application/x-ndjson').header('X-Accel-Buffering', 'no').send(lines);
    } catch (error) {
      end();
      throw error;
    }
  }

  private async *lines(batches: AsyncGenerator<Row[]>, asked: Asked): AsyncGenerator<string> {
    const tally: Tally = { rows: asked.firstRow - 1, created: 0, exists: 0, rejected: 0, catalogVersion: 0 };
    const progress = progressOf(tally);
    try {
      let coming = batches.next();
      for (let batch = await coming; !batch.done; batch = await coming) {
        if (this.stopping) return yield line(endOf(tally, 'unavailable'));
        // The next rows are read while these are stored.
        coming = batches.next();
        coming.catch(() => undefined);
        const { verdicts, catalogVersion } = await this.options.imports.take(batch.value, asked);
        this.count(tally, verdicts, catalogVersion);
        const told = asked.rejectedOnly ? verdicts.filter((v) => v.status === 'rejected') : verdicts;
        yield told.map(line).join('') + progress();
      }
      yield line({ done: true, ...countsOf(tally), catalog_version: asked.isDryRun ? null : tally.catalogVersion });
    } catch (error) {
      yield line(endOf(tally, this.codeOf(error)));
    }
  }

  private count(tally: Tally, verdicts: readonly Verdict[], catalogVersion: number): void {
    for (const { status } of verdicts) tally[status]++;
    tally.rows += verdicts.length;
    tally.catalogVersion = Math.max(tally.catalogVersion, catalogVersion);
    for (const status of ['created', 'exists', 'rejected'] as const)
      this.imported.inc({ status }, verdicts.filter((v) => v.status === status).length);
  }

  private codeOf(error: unknown): string {
    if (error instanceof InfrastructureError) {
      this.options.log.warn({ error: error.message }, 'a link upload ended early');
      return 'unavailable';
    }
    // Nobody reads this answer any more.
    if (GONE.has(String((error as { code?: unknown }).code))) return 'unavailable';
    this.options.log.error({ err: error }, 'a link upload failed in an unforeseen way');
    return 'internal';
  }

  private refuse(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
    const problem = problemOf(error);
    if (problem.code === 'internal') this.options.log.error({ err: error, requestId: request.id }, 'request failed');
    farewell(request);
    void reply.headers({ ...problem.more.headers, 'Baton-Verdict': 'rejected', 'Baton-Reason': problem.code });
    void reply.code(problem.status).type('application/problem+json').send(problemBody(problem, request.id));
  }
}

function askedOf({ query, headers }: FastifyRequest<{ Querystring: Query }>, tenantId: string): Asked {
  const { verdicts = 'all', dry_run: dryRun = 'false', resume_from: resumeFrom = '1' } = query;
  const key = headers['idempotency-key'];
  const errors = [
    ...(verdicts === 'all' || verdicts === 'rejected' ? [] : [{ field: 'verdicts', problem: 'must be all or rejected' }]),
    ...(dryRun === 'true' || dryRun === 'false' ? [] : [{ field: 'dry_run', problem: 'must be true or false' }]),
    ...(/^[1-9]\d{0,9}$/.test(resumeFrom) ? [] : [{ field: 'resume_from', problem: 'must be the number of a row, from 1' }]),
    ...(key === undefined || (typeof key === 'string' && KEY.test(key))
      ? []
      : [{ field: 'Idempotency-Key', problem: 'must be 1 to 200 visible characters' }]),
  ];
  if (errors.length > 0) throw new Problem('malformed', errors.map(({ field, problem }) => `${field} ${problem}`).join('; '), { errors });
  return {
    tenantId,
    columns: null,
    key: typeof key === 'string' ? key : null,
    isDryRun: dryRun === 'true',
    rejectedOnly: verdicts === 'rejected',
    firstRow: Number(resumeFrom),
    traceparent: traceparentOf(headers),
  };
}

/** A line every 10,000 rows or second, whichever comes first; nothing in between. */
function progressOf(tally: Tally): () => string {
  let [toldRows, toldMs] = [tally.rows, performance.now()];
  return () => {
    const now = performance.now();
    if (tally.rows - toldRows < PROGRESS_EVERY_ROWS && now - toldMs < PROGRESS_EVERY_MS) return '';
    [toldRows, toldMs] = [tally.rows, now];
    return line({ progress: countsOf(tally) });
  };
}

/** An upload that is not read to its end: its sender gets time to read the answer, which a connection closed at once would take along. */
function farewell({ raw }: FastifyRequest): void {
  if (!raw.complete) setTimeout(() => raw.complete || raw.socket.destroy(), FAREWELL_MS).unref();
}

const countsOf = ({ rows, created, exists, rejected }: Tally): object => ({ rows, created, exists, rejected });
const endOf = (tally: Tally, code: string): object => ({ done: false, code, ...countsOf(tally), resume_from: tally.rows + 1 });
const line = (value: object): string => `${JSON.stringify(value)}\n`;
