import type { ReasonCode } from '@baton/contracts';
import { isCurrency, minorOfDecimal } from './currency';

/** A column of a CSV of conversions. */
export interface Column {
  /** As the header has it. */
  readonly name: string;
  /** Where its cells go in the body of a single conversion, such as `metadata.plan` or `line_items[0].sku`; null: nowhere. */
  readonly field: string | null;
  readonly put: (draft: Draft, cell: string) => void;
}

export interface CellProblem {
  readonly field: string;
  readonly problem: string;
}
export type ColumnsRead =
  { readonly kind: 'ok'; readonly columns: readonly Column[] } | { readonly kind: 'malformed'; readonly problems: readonly CellProblem[] };
export interface CellsRead {
  /** In the words of `POST /v1/conversions`. */
  readonly body: Readonly<Record<string, unknown>>;
  /** What only a reader of cells can see; all else is judged with the body. */
  readonly wrong: { readonly code: ReasonCode; readonly problems: readonly CellProblem[] } | null;
}

type Fields = Record<string, unknown>;
interface Draft {
  readonly body: Fields;
  readonly items: Map<number, Fields>;
  /** To be read once the currency is known: where they go, and how they were written. */
  readonly decimals: { readonly field: string; readonly home: Fields; readonly text: string }[];
  readonly problems: CellProblem[];
}

const TEXTS =
  'external_id click_id customer_id email visitor_id program_id type order_id event currency occurred_at coupon_code referral_code'.split(
    ' ',
  );
const WHOLES = ['amount_minor', 'quantity'];
const FLAGS = ['pending_verification'];
const MAPS = ['metadata', 'sub_ids'];
const ITEM_TEXTS = ['sku', 'category'];
const ITEM_WHOLES = ['quantity', 'amount_minor'];
/** What a file of rejected rows has beside its rows. */
const PASSED_OVER = ['reason', 'detail'];
const ITEMS_MAX = 100;
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype']);
const MAP_COLUMN = /^(metadata|sub_ids)\.(.{1,64})$/is;
const ITEM_COLUMN = /^line_items\.(\d{1,2})\.([a-z_]+)$/i;

export const CONVERSION_COLUMNS = [
  ...TEXTS,
  ...WHOLES,
  ...FLAGS,
  'amount',
  ...MAPS.map((map) => `${map}.<name>`),
  'line_items.<0 to 99>.<field>',
];

/** Says which columns mean nothing, are named twice or are missing. */
export function readColumns(header: readonly string[]): ColumnsRead {
  const read = header.map((name) => columnOf(name.trim()));
  const fields = read.map((column) => (column?.name ?? '').toLowerCase());
  const problems = [
    ...header.flatMap((field, i) =>
      read[i] ? [] : [{ field, problem: `is not a column of conversions; there are ${CONVERSION_COLUMNS.join(', ')}` }],
    ),
    ...read.flatMap((column, i) =>
      column && read.findIndex((other) => other?.field === column.field && other?.name === column.name) < i
        ? [{ field: column.name, problem: 'is named twice' }]
        : [],
    ),
    ...(fields.includes('external_id') ? [] : [{ field: 'external_id', problem: 'is missing in the header' }]),
  ];
  return problems.length > 0 ? { kind: 'malformed', problems } : { kind: 'ok', columns: read as Column[] };
}

function columnOf(name: string): Column | null {
  const field = name.toLowerCase();
  if (PASSED_OVER.includes(field)) return { name: field, field: null, put: () => undefined };
  if (TEXTS.includes(field)) return { name: field, field, put: ({ body }, cell) => void (body[field] = cell) };
  if (WHOLES.includes(field)) return { name: field, field, put: ({ body }, cell) => void (body[field] = wholeOf(cell)) };
  if (FLAGS.includes(field)) return { name: field, field, put: ({ body }, cell) => void (body[field] = flagOf(cell)) };
  if (field === 'amount') return { name: field, field: 'amount_minor', put: (draft, cell) => decimal(draft, 'amount', draft.body, cell) };
  const [, map, key] = MAP_COLUMN.exec(name) ?? [];
  if (map && key && !FORBIDDEN.has(key)) return mapColumn(map.toLowerCase(), key);
  const [, index, of] = ITEM_COLUMN.exec(name) ?? [];
  return index && of && Number(index) < ITEMS_MAX ? itemColumn(Number(index), of.toLowerCase()) : null;
}

/** The name of an entry keeps its capitals. */
const mapColumn = (map: string, key: string): Column => ({
  name: `${map}.${key}`,
  field: `${map}.${key}`,
  put: ({ body }, cell) => void (body[map] = { ...(body[map] as Fields | undefined), [key]: cell }),
});

function itemColumn(index: number, field: string): Column | null {
  const name = `line_items.${index}.${field}`;
  const home = ({ items }: Draft): Fields => {
    const item = items.get(index) ?? {};
    items.set(index, item);
    return item;
  };
  const at = (of: string): string => `line_items[${index}].${of}`;
  if (ITEM_TEXTS.includes(field)) return { name, field: at(field), put: (draft, cell) => void (home(draft)[field] = cell) };
  if (ITEM_WHOLES.includes(field)) return { name, field: at(field), put: (draft, cell) => void (home(draft)[field] = wholeOf(cell)) };
  if (field === 'amount') return { name, field: at('amount_minor'), put: (draft, cell) => decimal(draft, name, home(draft), cell) };
  return null;
}

const decimal = ({ decimals }: Draft, field: string, home: Fields, text: string): void => void decimals.push({ field, home, text });

/** Left as it is where it is none: then the body's own rules say so. */
const wholeOf = (cell: string): number | string => (/^-?\d{1,15}$/.test(cell) ? Number(cell) : cell);

const FLAG_TEXTS: Readonly<Record<string, boolean>> = { true: true, '1': true, yes: true, false: false, '0': false, no: false };
const flagOf = (cell: string): boolean | string => FLAG_TEXTS[cell.trim().toLowerCase()] ?? cell;

/** How exports keep a spreadsheet from running a cell: `'=1+1` is the text `=1+1`. */
const plain = (cell: string): string => (/^'[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell);

/** One row; an empty cell says nothing. `delimiter` tells a decimal comma from one that separates thousands. */
export function bodyOfCells(columns: readonly Column[], cells: readonly string[], delimiter: string): CellsRead {
  const draft: Draft = { body: {}, items: new Map(), decimals: [], problems: [] };
  if (cells.slice(columns.length).some((cell) => cell !== ''))
    draft.problems.push({ field: '', problem: `has ${cells.length} cells; the header names ${columns.length} columns` });
  columns.forEach(({ put }, i) => {
    const cell = plain(cells[i] ?? '');
    if (cell !== '') put(draft, cell);
  });
  placeItems(draft);
  const code = readDecimals(draft, delimiter !== ',');
  return { body: draft.body, wrong: draft.problems.length > 0 ? { code, problems: draft.problems } : null };
}

function placeItems({ body, items, problems }: Draft): void {
  if (items.size === 0) return;
  const gap = Array.from({ length: items.size }, (_, i) => i).find((i) => !items.has(i));
  if (gap !== undefined) problems.push({ field: `line_items.${gap}`, problem: 'is empty, though a later one is not: fill them from 0 on' });
  body['line_items'] = [...items].sort(([a], [b]) => a - b).map(([, item]) => item);
}

function readDecimals({ body, decimals, problems }: Draft, mayHaveComma: boolean): ReasonCode {
  const before = problems.length;
  const currency = body['currency'];
  if (decimals.length > 0 && !isCurrency(currency)) {
    problems.push({ field: 'currency', problem: 'must be an ISO 4217 code in capitals, such as EUR, for an amount to be read' });
    return before > 0 ? 'malformed' : 'currency_unknown';
  }
  for (const { field, home, text } of decimals) {
    const amountMinor = minorOfDecimal(text, currency as string, mayHaveComma);
    if (typeof amountMinor === 'string') problems.push({ field, problem: amountMinor });
    else if (home['amount_minor'] !== undefined) problems.push({ field, problem: 'stands beside amount_minor: give one of them' });
    else home['amount_minor'] = amountMinor;
  }
  return before === 0 && problems.length > 0 ? 'amount_invalid' : 'malformed';
}
