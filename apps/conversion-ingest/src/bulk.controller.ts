import {
  type Admission,
  type Caller,
  type Http,
  type KeyedRequest,
  type Log,
  type Opening,
  parseBody,
  Problem,
  problemOf,
  type Row,
  type RowTold,
  type UploadRequest,
  UploadRoute,
} from '@baton/platform';
import { setTimeout as pause } from 'node:timers/promises';
import { countEnd, countOn, type FactRequest } from './answered';
import { bodyOfCells, type CellsRead, type Column, readColumns } from './domain';
import type { Intake, Manner, Told } from './intake';
import { isToBeSentAgain, takeMany, verdictOf } from './many';
import type { Posted } from './posted';

export interface BulkParts {
  readonly admission: Admission;
  readonly intake: Intake;
  readonly log: Log;
}

const KINDS = ['accepted', 'duplicate', 'rejected', 'validated'] as const;
type Kind = (typeof KINDS)[number];
const DOOR = 'api';
/** One transaction's worth: single requests of the same tenant find their turn in between. */
const LIMITS = { rowsMax: 200, charactersMax: 1024 * 1024, waitMs: 1_000 };
/** What uploads may have waiting for a transaction at once, 200 rows each, stays below what one tenant may. */
const UPLOADS_MAX = 8;
const UPLOADS_OF_ONE_MAX = 4;
/** Whoever uploads would rather wait than begin again: so often, and twice as long each time. */
const ATTEMPTS = 5;
const PAUSE_MS = 200;
const LIMIT_WAIT_MAX_MS = 20_000;

/** A row in the words of `POST /v1/conversions`, and the columns that it was read from. */
interface ReadRow {
  readonly posted: Posted;
  readonly columns: readonly Column[] | null;
  readonly line: number;
}

/** `POST /v1/conversions:bulk`: a file of conversions of any length, each row answered as it would have been alone. */
export class BulkController {
  private readonly upload: UploadRoute<Caller, Kind>;

  constructor(private readonly parts: BulkParts) {
    this.upload = new UploadRoute<Caller, Kind>({
      path: '/v1/conversions::bulk',
      kinds: KINDS,
      rejected: 'rejected',
      dryRun: 'validate_only',
      example: 'external_id,customer_id,amount,currency',
      limits: LIMITS,
      uploadsMax: UPLOADS_MAX,
      uploadsOfOneMax: UPLOADS_OF_ONE_MAX,
      log: parts.log,
      admit: async (request) => {
        const caller = await parts.admission.admit(request, { scope: 'conversions:write' });
        return { owner: caller.tenantId, caller };
      },
      begin: (caller, opening, request) => this.begin(caller, opening, request),
    });
  }

  routes(http: Http): void {
    this.upload.routes(http);
  }

  private begin(caller: Caller, { columns: header, delimiter, isDryRun, traceparent }: Opening, request: UploadRequest) {
    const columns = header && columnsOf(header);
    const manner = { door: DOOR, traceparent, validateOnly: isDryRun };
    const facts = request as KeyedRequest & FactRequest;
    // Until the first row is answered it brought no fact.
    Object.assign(facts, { told: [], counted: 0 } satisfies Partial<FactRequest>);
    return {
      take: async (rows: readonly Row[]): Promise<RowTold<Kind>[]> => {
        const read = rows.map((row) => readRow(row, columns, delimiter));
        const told: Told[] = [];
        while (told.length < read.length) {
          const bite = read.slice(told.length, told.length + (facts.quota?.limit.requests ?? Infinity));
          // The request itself counted for one.
          if (!(await this.mayTake(facts, bite.length - (facts.counted === 0 ? 1 : 0)))) break;
          const answers = await this.take(caller, bite, manner);
          countOn(facts, answers, DOOR);
          told.push(...answers);
          if (answers.length < bite.length) break;
        }
        return told.map((one, i) => ({ kind: one.kind, told: lineOf(rows[i] as Row, read[i] as ReadRow, one) }));
      },
      close: (): void => {
        this.parts.log.info({ door: DOOR, facts: facts.counted, tenantId: caller.tenantId, requestId: facts.id }, 'answered');
        countEnd(facts, DOOR);
      },
    };
  }

  /** Waits until the key may send so many more, unless that takes too long for a connection on which nothing is said. */
  private async mayTake(request: KeyedRequest, items: number): Promise<boolean> {
    for (let waitedMs = 0; ;) {
      try {
        await this.parts.admission.charge(request, items);
        return true;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        const waitMs = Number(error.more.headers?.['Retry-After'] ?? 1) * 1_000;
        waitedMs += waitMs;
        if (waitedMs > LIMIT_WAIT_MAX_MS) return false;
        await pause(waitMs);
      }
    }
  }

  /** Up to the first row that cannot be taken now, however often it is tried. */
  private async take(caller: Caller, read: readonly ReadRow[], manner: Manner): Promise<Told[]> {
    const posted = read.map((row) => row.posted);
    const told = await takeMany(this.parts.intake, caller, posted, manner);
    for (let attempt = 1; attempt < ATTEMPTS; attempt++) {
      const open = told.flatMap((one, i) => (isToBeSentAgain(one) ? [i] : []));
      if (open.length === 0) return told;
      await pause(PAUSE_MS * 2 ** attempt);
      const again = await takeMany(
        this.parts.intake,
        caller,
        open.map((i) => posted[i] as Posted),
        manner,
      );
      open.forEach((i, n) => (told[i] = again[n] as Told));
    }
    const end = told.findIndex(isToBeSentAgain);
    return end < 0 ? told : told.slice(0, end);
  }
}

function columnsOf(header: readonly string[]): readonly Column[] {
  const read = readColumns(header);
  if (read.kind === 'ok') return read.columns;
  const problems = read.problems.map(({ field, problem }) => `${field.slice(0, 64)} ${problem}`);
  throw new Problem('malformed', problems.join('; '), { errors: read.problems });
}

function readRow({ line, cut }: Row, columns: readonly Column[] | null, delimiter: string): ReadRow {
  const posted = (body: unknown, problem?: Problem): ReadRow => ({
    line,
    columns,
    posted: { kind: 'conversion', body, ...(problem ? { problem } : {}) },
  });
  if (cut.kind === 'malformed') return posted(null, new Problem(cut.code, `The row ${cut.problem}.`));
  if (cut.kind === 'cells') {
    const { body, wrong } = bodyOfCells(columns ?? [], cut.cells, delimiter);
    return posted(body, wrong ? problemOfCells(wrong) : undefined);
  }
  try {
    // What a file of rejected rows has beside its rows.
    const { reason: _reason, detail: _detail, ...body } = parseBody(Buffer.from(cut.text)) as Record<string, unknown>;
    return posted(body);
  } catch (error) {
    return posted(null, problemOf(error));
  }
}

const problemOfCells = ({ code, problems }: NonNullable<CellsRead['wrong']>): Problem =>
  new Problem(code, problems.map(({ field, problem }) => `${field || 'The row'} ${problem}`).join('; '), { errors: problems });

/** What was wrong stands where whoever has the file will look for it. */
function lineOf({ row, line }: Row, { columns }: ReadRow, told: Told): object {
  const { detail, errors, ...verdict } = verdictOf(told) as { detail?: string; errors?: readonly { field: string; problem: string }[] };
  if (told.kind !== 'rejected') return { row, line, ...verdict };
  const named = errors?.map((error) => ({ ...error, ...columnOf(error.field, columns) }));
  const at = [...new Set(named?.flatMap(({ column }) => (column ? [column] : [])))];
  const where = `Line ${line}${at.length > 0 ? `, column ${at.join(', ')}` : ''}: `;
  return { row, line, ...verdict, detail: `${where}${detail}`, ...(named ? { errors: named } : {}) };
}

function columnOf(field: string, columns: readonly Column[] | null): { readonly column?: string } {
  const column = columns?.find(({ name }) => name === field) ?? columns?.find((one) => one.field === field);
  return column ? { column: column.name } : {};
}
