import { InfrastructureError } from '../ports';

/** SQLSTATEs (or their classes) that are the world's fault: tried again, never counted against a message. */
const SQLSTATES: readonly (readonly [RegExp, string])[] = [
  [/^40P01$/, 'deadlock'],
  [/^40001$/, 'serialisation'],
  [/^(08...|57P..)$/, 'connection'],
  // A server that became a standby answers, and writes nothing any more; one that starts, or a password that rotates, refuses for a while.
  [/^(25006|28P01|28000|3D000)$/, 'connection'],
  [/^(57014|55P03|25P0[34])$/, 'timeout'],
  [/^(53...|58...)$/, 'capacity'],
];

/** How Prisma and Node name the same where no SQLSTATE came. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^P(1000|1001|1002|1003|1017)$/, 'connection'],
  [/^P(1008|2028)$/, 'timeout'],
  [/^P(2024|2037)$/, 'capacity'],
  [/^P2034$/, 'serialisation'],
  [/^E(CONNREFUSED|CONNRESET|CONNABORTED|TIMEDOUT|PIPE|NOTFOUND|AI_AGAIN|HOSTUNREACH|NETUNREACH|ADDRNOTAVAIL)$/, 'connection'],
  [/^(DatabaseNotReachable|DatabaseDoesNotExist|AuthenticationFailed|ConnectionClosed|SocketTimeout|TlsConnectionError)$/, 'connection'],
  [/^TooManyConnections$/, 'capacity'],
  [/^TransactionWriteConflict$/, 'serialisation'],
];

/** What pg says in words alone. Anchored: the words of a visitor, quoted in an error, must never look like a lost connection. */
const WORDS: readonly (readonly [RegExp, string])[] = [
  [
    /^(Connection terminated|Client has encountered a connection error|Client was closed|The server (closed|does not support SSL)|Cannot use a pool after calling end|read ECONN|write E|connect E)/,
    'connection',
  ],
  [/^(Query read timeout|timeout exceeded when trying to connect|timeout expired)/, 'timeout'],
];

/**
 * An `InfrastructureError` for what the world did, else the error as it came. Decided by codes; a SQLSTATE has the last word, whatever the
 * text beside it says: that text may quote a message's own data, and a poison message that passes for an outage would block its partition for ever.
 */
export function classify(error: unknown): unknown {
  if (error instanceof InfrastructureError) return error;
  const kind = kindOf(error);
  return kind === undefined ? error : new InfrastructureError('postgres', kind, error);
}

/** Two transactions met; running this one again will most likely succeed. */
export const isCollision = (error: unknown): boolean =>
  error instanceof InfrastructureError && (error.kind === 'deadlock' || error.kind === 'serialisation');

/** Errors come nested: Prisma's holds the adapter's (`meta.driverAdapterError`), which holds the server's (`cause`). */
function kindOf(error: unknown): string | undefined {
  const layers = layersOf(error);
  const sqlState = layers.map(sqlStateOf).find((code) => code !== undefined);
  if (sqlState !== undefined)
    return lookUp(SQLSTATES, sqlState) ?? (sqlState === '23514' && layers.some(isMovedRow) ? 'serialisation' : undefined);
  for (const { code, kind } of layers) {
    const found = lookUp(NAMES, code) ?? lookUp(NAMES, kind);
    if (found !== undefined) return found;
  }
  for (const { name, code, message } of layers) {
    if (name !== 'Error' || code !== undefined) continue;
    const found = lookUp(WORDS, message);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * A row on its way into the outbox's default partition while the partition of its hour was being attached: written anew, it finds the right
 * one. The server's own words, from their beginning: a message's data cannot stand there.
 */
const isMovedRow = ({ message, originalMessage }: Layer): boolean =>
  [message, originalMessage].some((text) => typeof text === 'string' && MOVED_ROW.test(text));
const MOVED_ROW = /^new row for relation "outbox_default" violates partition constraint/;

interface Layer {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly kind?: unknown;
  readonly originalCode?: unknown;
  readonly severity?: unknown;
  readonly message?: unknown;
  readonly originalMessage?: unknown;
}

const LAYERS_MAX = 12;

function layersOf(error: unknown): Layer[] {
  const layers: Layer[] = [];
  const queue: unknown[] = [error];
  while (queue.length > 0 && layers.length < LAYERS_MAX) {
    const next = queue.shift();
    if (typeof next !== 'object' || next === null || layers.includes(next)) continue;
    layers.push(next);
    const { cause, meta, errors } = next as { cause?: unknown; meta?: { driverAdapterError?: unknown } | null; errors?: unknown };
    // Several addresses of one host fail together (AggregateError).
    queue.push(cause, meta?.driverAdapterError, ...(Array.isArray(errors) ? (errors as unknown[]) : []));
  }
  return layers;
}

/** `originalCode` is the adapter's; `code` is one only beside a severity, as the server sends it (Prisma's own codes look alike: P2010). */
function sqlStateOf({ originalCode, code, severity }: Layer): string | undefined {
  const state = originalCode ?? (severity !== undefined ? code : undefined);
  return typeof state === 'string' && /^[0-9A-Z]{5}$/.test(state) ? state : undefined;
}

function lookUp(table: readonly (readonly [RegExp, string])[], word: unknown): string | undefined {
  return typeof word === 'string' ? table.find(([pattern]) => pattern.test(word))?.[1] : undefined;
}
