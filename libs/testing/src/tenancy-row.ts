import type { Client } from 'pg';

/** Table -> column -> SQL expression, for rows that cannot be made up from the columns' types (a partition key, say). */
export type Fill = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** An INSERT of one made-up row. For a role: of the columns that it may insert. */
export async function insertFor(admin: Client, name: string, tenant: string, fill: Fill, role?: string): Promise<string> {
  const { rows } = await admin.query<{ column: string; type: string; typtype: string; label: string | null; required: boolean }>(
    `SELECT quote_ident(a.attname) AS column, coalesce(b.typname, t.typname) AS type, t.typtype, a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS required,
            (SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid ORDER BY enumsortorder LIMIT 1) AS label
     FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type b ON b.oid = nullif(t.typbasetype, 0)
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND ($2::text IS NULL OR has_column_privilege($2, a.attrelid, a.attnum, 'INSERT'))`,
    [name, role ?? null],
  );
  const wanted = rows.filter((row) => row.required || row.column === 'tenant_id' || fill[name]?.[row.column] !== undefined);
  const value = (row: (typeof rows)[0]): string =>
    fill[name]?.[row.column] ?? (row.column === 'tenant_id' ? `'${tenant}'` : madeUp(row.type, row.label));
  return `INSERT INTO ${name} (${wanted.map((row) => row.column).join(', ')}) VALUES (${wanted.map(value).join(', ')})`;
}

function madeUp(type: string, label: string | null): string {
  if (label !== null) return `'${label}'`;
  if (type.startsWith('_')) return `'{}'`;
  if (type === 'uuid') return 'gen_random_uuid()';
  if (type === 'bool') return 'false';
  if (/^(int|float|numeric)/.test(type)) return `floor(random() * 30000)::${type}`;
  if (/^(timestamp|date|time)/.test(type)) return `now()::${type}`;
  if (type === 'json' || type === 'jsonb') return `'{}'`;
  if (type === 'bytea') return `decode(md5(random()::text), 'hex')`;
  return `left(md5(random()::text), 20)`;
}
