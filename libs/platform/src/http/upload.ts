import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { InfrastructureError } from '../ports';
import type { Log } from '../run/log';
import { type Http, takesTime } from './http';
import { Problem, problemBody, problemOf } from './problem';
import { traceparentOf } from './trace';
import { batchesOf, type BatchLimits, type Cutting, cutUpload, type Format, type Row } from './upload-rows';

/** What an upload asks for beside its rows. */
export interface Asked {
  /** Names this upload, where its sender gave it a name. */
  readonly key: string | null;
  /** Says what would happen, and stores nothing. */
  readonly isDryRun: boolean;
  readonly traceparent: string;
}
export type UploadRequest = FastifyRequest;
/** The columns of a CSV as written, or null; what separates its cells. */
export type Opening = Asked & Pick<Cutting, 'columns' | 'delimiter'>;

/** What became of a row: what it is counted as, and what its sender is told. */
export interface RowTold<K extends string> {
  readonly kind: K;
  readonly told: object;
}

/** One upload under way. */
export interface Taking<K extends string> {
  /**
   * What became of rows, in their order. Fewer than were given: the rest cannot be taken just now. Throws `InfrastructureError`: none of them can,
   * or nobody knows.
   */
  take(rows: readonly Row[]): Promise<readonly RowTold<K>[]>;
  /** More for the last line of an upload that came to its end. */
  last?(): object;
  /** When nothing more is told, however it ended; rows may still be under way. */
  close?(): void;
}

export interface UploadOptions<C, K extends string> {
  /** In Fastify's spelling: two colons are one, since a single one would begin a parameter. */
  readonly path: string;
  /** The kinds of verdict, as the tallies name them. */
  readonly kinds: readonly K[];
  /** Of these the sender may want to hear alone. */
  readonly rejected: K;
  /** The query's name of the dry run. */
  readonly dryRun: string;
  /** A header, for whoever sent none. */
  readonly example: string;
  readonly limits: BatchLimits;
  /** Uploads at once in this process, and of one owner. */
  readonly uploadsMax: number;
  readonly uploadsOfOneMax?: number;
  readonly log: Log;
  /** Who sends, before anything is read. Throws a `Problem`. */
  readonly admit: (request: UploadRequest) => Promise<{ readonly owner: string; readonly caller: C }>;
  /** Throws a `Problem` about the upload as a whole, such as unknown columns. */
  readonly begin: (caller: C, opening: Opening, request: UploadRequest) => Taking<K>;
}

type Query = Readonly<Record<string, string | undefined>>;
interface Wanted extends Asked {
  readonly rejectedOnly: boolean;
  readonly firstRow: number;
}
type Tally<K extends string> = { rows: number } & Record<K, number>;

const FORMATS: Readonly<Record<string, Format>> = { 'application/x-ndjson': 'ndjson', 'application/ndjson': 'ndjson', 'text/csv': 'csv' };
const PROGRESS_EVERY_ROWS = 10_000;
const PROGRESS_EVERY_MS = 1_000;
const IDLE_MAX_MS = 60_000;
/** After an early end: long enough for the last line to be read, then the rest of the upload is refused by closing. */
const FAREWELL_MS = 2_000;
const GONE = new Set(['ECONNRESET', 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE']);
const KEY = /^[\x21-\x7e]{1,200}$/;

/**
 * An upload of CSV or NDJSON of any length, answered in NDJSON while it is read: a line for each row, progress now and then, and a last line that says
 * whether it was all. Fastify answers itself, since neither the upload nor the answer ever stands in memory whole. Rows are taken no faster than they
 * are stored and their verdicts are read: whoever sends must read at the same time.
 */
export class UploadRoute<C, K extends string> {
  private readonly underWay = new Map<string, number>();
  private stopping = false;

  constructor(private readonly options: UploadOptions<C, K>) {}

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
        scope.post<{ Querystring: Query }>(this.options.path, (request, reply) => this.answer(request, reply));
        done();
      });
  }

  private async answer(request: FastifyRequest<{ Querystring: Query }>, reply: FastifyReply): Promise<FastifyReply> {
    const { owner, caller } = await this.options.admit(request);
    const format = FORMATS[String(request.headers['content-type']).split(';')[0]?.trim().toLowerCase() ?? ''];
    if (!format) throw new Problem('unsupported_media_type', 'Send application/x-ndjson, or text/csv with a header.');
    const wanted = wantedOf(request, this.options.dryRun);
    const end = this.enter(owner);
    const patience = takesTime(request.raw.socket, IDLE_MAX_MS);
    const over = (): void => {
      end();
      patience.end();
    };
    try {
      const cutting = await cutUpload(request.body as AsyncIterable<Buffer>, format, this.options.example);
      const taking = this.options.begin(caller, { ...wanted, ...cutting }, request);
      const batches = batchesOf(cutting.pieces, wanted.firstRow, this.options.limits);
      const lines = Readable.from(this.lines(batches, taking, wanted), { objectMode: true, highWaterMark: 1 });
      lines.once('close', () => {
        taking.close?.();
        over();
        farewell(request);
      });
      return reply.code(200).type('application/x-ndjson').header('X-Accel-Buffering', 'no').send(lines);
    } catch (error) {
      over();
      throw error;
    }
  }

  /** Counts an upload in, or refuses it. */
  private enter(owner: string): () => void {
    const { uploadsMax, uploadsOfOneMax = uploadsMax } = this.options;
    const ofOne = this.underWay.get(owner) ?? 0;
    const all = [...this.underWay.values()].reduce((sum, count) => sum + count, 0);
    if (all >= uploadsMax || ofOne >= uploadsOfOneMax)
      throw new Problem('over_quota', `${all >= uploadsMax ? all : ofOne} uploads are under way here already.`, {
        headers: { 'Retry-After': '30' },
      });
    this.underWay.set(owner, ofOne + 1);
    return () => {
      const left = (this.underWay.get(owner) ?? 1) - 1;
      if (left > 0) this.underWay.set(owner, left);
      else this.underWay.delete(owner);
    };
  }

  private async *lines(batches: AsyncGenerator<Row[]>, taking: Taking<K>, wanted: Wanted): AsyncGenerator<string> {
    const { kinds, rejected } = this.options;
    const tally = { rows: wanted.firstRow - 1, ...Object.fromEntries(kinds.map((kind) => [kind, 0])) } as Tally<K>;
    const progress = progressOf(tally);
    try {
      let coming = batches.next();
      for (let batch = await coming; !batch.done; batch = await coming) {
        if (this.stopping) return yield line(endOf(tally, 'unavailable'));
        // The next rows are read while these are stored.
        coming = batches.next();
        coming.catch(() => undefined);
        const rows = await taking.take(batch.value);
        for (const { kind } of rows) (tally as Record<string, number>)[kind] = (tally[kind] as number) + 1;
        tally.rows += rows.length;
        const told = wanted.rejectedOnly ? rows.filter(({ kind }) => kind === rejected) : rows;
        yield told.map((row) => line(row.told)).join('') + progress();
        if (rows.length < batch.value.length) return yield line(endOf(tally, 'unavailable'));
      }
      yield line({ done: true, ...tally, ...taking.last?.() });
    } catch (error) {
      yield line(endOf(tally, this.codeOf(error)));
    }
  }

  private codeOf(error: unknown): string {
    const { log, path } = this.options;
    if (error instanceof InfrastructureError) {
      log.warn({ error: error.message, path }, 'an upload ended early');
      return 'unavailable';
    }
    // Nobody reads this answer any more.
    if (GONE.has(String((error as { code?: unknown }).code))) return 'unavailable';
    log.error({ err: error, path }, 'an upload failed in an unforeseen way');
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

function wantedOf({ query, headers }: FastifyRequest<{ Querystring: Query }>, dryRun: string): Wanted {
  const { verdicts = 'all', [dryRun]: isDryRun = 'false', resume_from: resumeFrom = '1' } = query;
  const key = headers['idempotency-key'];
  const errors = [
    ...(verdicts === 'all' || verdicts === 'rejected' ? [] : [{ field: 'verdicts', problem: 'must be all or rejected' }]),
    ...(isDryRun === 'true' || isDryRun === 'false' ? [] : [{ field: dryRun, problem: 'must be true or false' }]),
    ...(/^[1-9]\d{0,9}$/.test(resumeFrom) ? [] : [{ field: 'resume_from', problem: 'must be the number of a row, from 1' }]),
    ...(key === undefined || (typeof key === 'string' && KEY.test(key))
      ? []
      : [{ field: 'Idempotency-Key', problem: 'must be 1 to 200 visible characters' }]),
  ];
  if (errors.length > 0) throw new Problem('malformed', errors.map(({ field, problem }) => `${field} ${problem}`).join('; '), { errors });
  return {
    key: typeof key === 'string' ? key : null,
    isDryRun: isDryRun === 'true',
    rejectedOnly: verdicts === 'rejected',
    firstRow: Number(resumeFrom),
    traceparent: traceparentOf(headers),
  };
}

/** A line every 10,000 rows or second, whichever comes first; nothing in between. */
function progressOf(tally: { readonly rows: number }): () => string {
  let [toldRows, toldMs] = [tally.rows, performance.now()];
  return () => {
    const now = performance.now();
    if (tally.rows - toldRows < PROGRESS_EVERY_ROWS && now - toldMs < PROGRESS_EVERY_MS) return '';
    [toldRows, toldMs] = [tally.rows, now];
    return line({ progress: tally });
  };
}

/** An upload that is not read to its end: its sender gets time to read the answer, which a connection closed at once would take along. */
function farewell({ raw }: FastifyRequest): void {
  if (!raw.complete) setTimeout(() => raw.complete || raw.socket.destroy(), FAREWELL_MS).unref();
}

const endOf = (tally: { readonly rows: number }, code: string): object => ({ done: false, code, ...tally, resume_from: tally.rows + 1 });
const line = (value: object): string => `${JSON.stringify(value)}\n`;
