import { Client, type ClientConfig } from 'pg';

const BEGIN_TIMEOUT_MS = 3_000;

/**
 * A pooled connection that does not outlive its own silence. pg gives up a query after `query_timeout` and keeps the connection, on which the
 * server may never answer again (a firewall forgot it, the machine behind it is gone): it would go back to the pool and eat the next borrower's
 * time, again and again. Here a timed-out query ends its connection. BEGIN waits for nothing on the server, so it finds out sooner.
 */
export class Connection extends Client {
  constructor(config?: string | ClientConfig) {
    super(config);
    const query = this.query.bind(this) as (...args: unknown[]) => unknown;
    this.query = ((config: unknown, ...rest: unknown[]) => {
      const result = query(impatient(config), ...rest);
      if (result instanceof Promise) result.catch((error: unknown) => this.endIfSilent(error));
      return result;
    }) as typeof this.query;
  }

  private endIfSilent(error: unknown): void {
    if (!(error instanceof Error) || error.message !== 'Query read timeout') return;
    const inner = this as unknown as { _queryable: boolean; connection: { stream: { destroy(): void } } };
    // The pool asks this when the connection is given back, which may be before the socket has told of its end.
    inner._queryable = false;
    inner.connection.stream.destroy();
  }
}

const impatient = (config: unknown): unknown =>
  typeof config === 'object' && config !== null && (config as { text?: string }).text === 'BEGIN'
    ? { ...config, query_timeout: BEGIN_TIMEOUT_MS }
    : config;

/** Ends a connection of its own within a second: on a silent one pg would wait for a farewell that never comes. */
export async function endConnection(client: Client): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      resolve();
    }, 1_000);
  });
  await Promise.race([client.end().catch(() => undefined), late]);
  clearTimeout(timer);
}
