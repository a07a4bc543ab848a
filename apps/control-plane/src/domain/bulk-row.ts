/** Fields that a flat row writes as columns of their own, gathered under the field of the link that they belong to. */
const GATHERED: readonly { readonly field: string; readonly column: RegExp }[] = [
  { field: 'sub_ids', column: /^(?:sub_ids\.)?(sub\d{0,2}|sid\d{0,2})$/ },
  { field: 'sub_ids', column: /^sub_ids\.(.{1,64})$/ },
  { field: 'utm', column: /^utm_(source|campaign|term)$/ },
];
const NUMBERS = new Set(['click_cap']);
const JSONS = new Set(['sub_ids', 'utm', 'targets']);

export type RowProblem = { readonly field: string; readonly problem: string };
export type CellsRead =
  | { readonly kind: 'ok'; readonly record: Record<string, unknown> }
  | { readonly kind: 'malformed'; readonly problems: readonly RowProblem[] };

/** Columns of a header that mean nothing here; `fields` are those of a link. */
export const unknownColumns = (columns: readonly string[], fields: readonly string[]): string[] =>
  columns.filter((column) => !fields.includes(column) && !GATHERED.some((g) => g.column.test(column) && fields.includes(g.field)));

/** Cells by their columns; an empty cell says nothing. Numbers and JSON are read where a field has them. */
export function recordOfCells(columns: readonly string[], cells: readonly string[]): CellsRead {
  if (cells.length > columns.length)
    return {
      kind: 'malformed',
      problems: [{ field: '', problem: `has ${cells.length} cells; the header names ${columns.length} columns` }],
    };
  const record: Record<string, unknown> = {};
  const problems: RowProblem[] = [];
  for (const [i, column] of columns.entries()) {
    const cell = cells[i] ?? '';
    if (cell === '') continue;
    if (!JSONS.has(column)) record[column] = NUMBERS.has(column) ? numberOf(cell) : cell;
    else {
      const value = jsonOf(cell);
      if (value === undefined) problems.push({ field: column, problem: 'is not JSON' });
      else record[column] = value;
    }
  }
  return problems.length > 0 ? { kind: 'malformed', problems } : { kind: 'ok', record };
}

/** The body of a link as a single creation takes it: `{sub1: 'x', utm_source: 'y'}` becomes `{sub_ids: {sub1: 'x'}, utm: {source: 'y'}}`. */
export function bodyOfRecord(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  const gathered: [string, string, unknown][] = [];
  for (const [column, value] of Object.entries(record)) {
    const home = value === null || typeof value === 'object' ? undefined : homeOf(column);
    if (home) gathered.push([...home, value]);
    else body[column] = value;
  }
  for (const [field, name, value] of gathered) {
    const before = body[field];
    if (before === undefined || before === null) body[field] = { [name]: value };
    else if (typeof before === 'object' && !Array.isArray(before)) body[field] = { ...before, [name]: value };
  }
  return body;
}

function homeOf(column: string): [field: string, name: string] | undefined {
  // Most columns are not of this kind, and this is asked for every cell.
  if (!column.startsWith('s') && !column.startsWith('utm_')) return undefined;
  for (const { field, column: pattern } of GATHERED) {
    const name = pattern.exec(column)?.[1];
    if (name !== undefined) return [field, name];
  }
  return undefined;
}

const numberOf = (cell: string): number | string => (/^\d{1,15}$/.test(cell) ? Number(cell) : cell);

function jsonOf(cell: string): unknown {
  try {
    return JSON.parse(cell) as unknown;
  } catch {
    return undefined;
  }
}
