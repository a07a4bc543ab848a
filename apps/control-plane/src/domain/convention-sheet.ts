import { UTM_MEDIUM, type UtmConvention } from '@baton/contracts';

/** A convention in one table, for those who keep theirs in a sheet. */
interface Row {
  readonly parameter: string;
  readonly value: string;
  readonly use: string;
}

function rowsOf({ sources, campaigns, terms }: UtmConvention): Row[] {
  const list = (parameter: string, values: readonly string[], first: string): Row[] =>
    values.map((value, i) => ({ parameter, value, use: i === 0 ? first : 'choice' }));
  return [
    ...list('utm_source', sources, 'default'),
    { parameter: 'utm_medium', value: UTM_MEDIUM, use: 'always' },
    ...list('utm_campaign', campaigns, 'default'),
    { parameter: 'utm_content', value: "the partner's key in lower case", use: 'always' },
    ...(terms ? list('utm_term', terms, 'choice') : [{ parameter: 'utm_term', value: 'any of a-z 0-9 . _ -', use: 'choice' }]),
  ];
}

/** RFC 4180, a header first. No cell is read as a formula. */
export function csvOf(convention: UtmConvention): string {
  const lines = rowsOf(convention).map((row) => [row.parameter, row.value, row.use].map(cellOf).join(','));
  return ['parameter,value,use', ...lines].map((line) => `${line}\r\n`).join('');
}

/** A heading and a table. */
export function markdownOf(name: string, convention: UtmConvention): string {
  const lines = rowsOf(convention).map((row) => `| \`${row.parameter}\` | ${escaped(row.value)} | ${row.use} |`);
  return [`# UTM convention of ${escaped(name)}`, '', '| parameter | value | use |', '|---|---|---|', ...lines, ''].join('\n');
}

/** Spreadsheets run what begins like a formula; an apostrophe makes it text. */
export function cellOf(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const escaped = (text: string): string => text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|!~]/g, '\\$&');
