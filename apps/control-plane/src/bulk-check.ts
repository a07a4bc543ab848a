import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { type ReasonCode, schemaOf } from '@baton/contracts';
import { type FieldProblem, parseBody, Problem, problemsOf, type Row } from '@baton/platform';
import { bodyOfRecord, recordOfCells, unknownColumns } from './domain/bulk-row';
import { LinkBody } from './link.controller';

export interface Rejected {
  readonly row: number;
  readonly status: 'rejected';
  readonly code: ReasonCode;
  readonly problems: readonly FieldProblem[];
}
export type Checked = { readonly row: number; readonly body: LinkBody } | Rejected;

/** What a row says, held against the rules of a single creation. Every problem is named. */
export function checkRow({ row, cut }: Row, columns: readonly string[] | null): Checked {
  const rejected = (code: ReasonCode, problems: readonly FieldProblem[]): Rejected => ({ row, status: 'rejected', code, problems });
  if (cut.kind === 'malformed') return rejected(cut.code, [{ field: '', problem: cut.problem }]);
  try {
    const read =
      cut.kind === 'cells' ? recordOfCells(columns ?? [], cut.cells) : ({ kind: 'ok', record: parseBody(Buffer.from(cut.text)) } as const);
    if (read.kind === 'malformed') return rejected('malformed', read.problems);
    const body = plainToInstance(LinkBody, bodyOfRecord(read.record as Record<string, unknown>));
    const errors = validateSync(body, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true });
    return errors.length > 0 ? rejected('malformed', problemsOf(errors)) : { row, body };
  } catch (error) {
    if (error instanceof Problem) return rejected(error.code, error.more.errors ?? [{ field: '', problem: error.detail }]);
    throw error;
  }
}

/** Throws the problem that names every column that a link has no field for. */
export function checkColumns(columns: readonly string[]): void {
  const fields = Object.keys(schemaOf(LinkBody)['properties'] as object);
  const problems = [
    ...unknownColumns(columns, fields).map((column) => ({
      field: column,
      problem: `is not a column of links; there are ${fields.join(', ')}, sub1 to sub99, sid, sub_ids.<name>`,
    })),
    ...columns.filter((column, i) => columns.indexOf(column) !== i).map((column) => ({ field: column, problem: 'is named twice' })),
    ...['program_id', 'partner_id', 'destination']
      .filter((c) => !columns.includes(c))
      .map((field) => ({ field, problem: 'is missing in the header' })),
  ];
  if (problems.length === 0) return;
  throw new Problem('malformed', problems.map(({ field, problem }) => `${field} ${problem}`).join('; '), { errors: problems });
}
