import { InfrastructureError } from '../ports';

/** SQLSTATE classes and codes that are the world's fault: they are tried again, never counted against a message. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^40P01$/, 'deadlock'],
  [/^40001$/, 'serialisation'],
  [/^08/, 'connection'],
  [/^57P/, 'connection'],
  [/^57014$/, 'timeout'],
  [/^55P03$/, 'timeout'],
  [/^25P0[34]$/, 'timeout'],
  [/^53/, 'capacity'],
  // Authentication can fail while a server starts or a password rotates.
  [/^(28P01|28000|3D000)$/, 'connection'],
  [/^P(1001|1002|1008|1017|2024|2028)$/, 'connection'],
  [/^P2034$/, 'serialisation'],
  [/^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH)$/, 'connection'],
  [/^(DatabaseNotReachable|ConnectionClosed|SocketTimeout|TlsConnectionError)$/, 'connection'],
  [/^TooManyConnections$/, 'capacity'],
  [/^TransactionWriteConflict$/, 'deadlock'],
];

/** pg and Prisma say these in words alone. */
const WORDS =
  /Connection terminated|connection timeout|timeout exceeded when trying to connect|Query read timeout|not queryable|Client was closed|the database system is (starting up|shutting down|in recovery mode|not yet accepting connections)|Unable to start a transaction|Transaction already closed|Transaction not found|terminating connection|server closed the connection|socket hang up|read ECONNRESET|Cannot use a pool after calling end/i;

/** An `InfrastructureError` for what the world did, else the error as it came. */
export function classify(error: unknown): unknown {
  if (error instanceof InfrastructureError) return error;
  const seen = new Set<unknown>();
  const queue: unknown[] = [error];
  while (queue.length > 0 && seen.size < 20) {
    const current = queue.shift();
    if (typeof current !== 'object' || current === null || seen.has(current)) continue;
    seen.add(current);
    const { code, originalCode, kind, message, cause, meta, driverAdapterError, errors } = current as Record<string, unknown>;
    for (const word of [originalCode, code, kind]) {
      const match = typeof word === 'string' ? KINDS.find(([pattern]) => pattern.test(word)) : undefined;
      if (match) return new InfrastructureError('postgres', match[1], error);
    }
    if (typeof message === 'string' && WORDS.test(message)) return new InfrastructureError('postgres', 'connection', error);
    queue.push(cause, meta, driverAdapterError, ...(Array.isArray(errors) ? (errors as unknown[]) : []));
  }
  return error;
}

/** Two transactions met; running this one again will most likely succeed. */
export const isCollision = (error: unknown): boolean => error instanceof InfrastructureError && (error.kind === 'deadlock' || error.kind === 'serialisation');
