import { createConnection, createServer, type Socket } from 'node:net';

/** A TCP proxy in front of a store, to break the way to it without touching the store that others use too. */
export interface StoreProxy {
  /** The store's URL by way of the proxy. */
  readonly url: string;
  /** Connections are reset, new ones refused. */
  cut(): void;
  /** A black hole: connections stay open, new ones too, and nothing passes. What was swallowed is lost at `heal`. */
  silence(): void;
  /** As before; connections of the silence are reset. */
  heal(): void;
  close(): Promise<void>;
}

export async function proxyTo(url: string): Promise<StoreProxy> {
  const target = new URL(url);
  const pairs = new Set<readonly Socket[]>();
  let mode: 'open' | 'cut' | 'silent' = 'open';
  const server = createServer((inner) => {
    if (mode === 'cut') return void inner.resetAndDestroy();
    const outer = createConnection({ host: target.hostname, port: Number(target.port) });
    const pair = [inner, outer];
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const [from, to] of [pair, [outer, inner]] as const) {
      from?.on('error', end).on('close', end);
      from?.on('data', (bytes) => {
        if (mode === 'open') to?.write(bytes);
      });
    }
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const reset = (): void => {
    for (const [inner, outer] of pairs) {
      inner?.resetAndDestroy();
      outer?.destroy();
    }
  };
  const own = new URL(url);
  own.hostname = '127.0.0.1';
  own.port = String((server.address() as { port: number }).port);
  return {
    url: own.toString(),
    cut: () => {
      mode = 'cut';
      reset();
    },
    silence: () => void (mode = 'silent'),
    heal: () => {
      if (mode === 'silent') reset();
      mode = 'open';
    },
    close: () => {
      mode = 'cut';
      reset();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
