import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy in front of a store: what the network does to a service, on purpose. */
export interface Proxy {
  readonly port: number;
  /** Connections are reset, new ones are refused at once. */
  cut(): void;
  /** Connections stay open and are accepted, but nothing passes any more, in either direction. */
  blackHole(): void;
  /** As before, for new connections; those that were cut or swallowed stay broken. */
  heal(): void;
  close(): Promise<void>;
}

export async function startProxy(target: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket | null]>();
  let mode: 'open' | 'cut' | 'black-hole' = 'open';
  const server: Server = createServer((inner) => {
    inner.on('error', () => inner.destroy());
    if (mode === 'cut') return void inner.resetAndDestroy();
    // A swallowed connection is read, so that its sender notices nothing.
    if (mode === 'black-hole') inner.resume();
    const outer = mode === 'open' ? join(inner, target) : null;
    const pair = [inner, outer] as const;
    pairs.add(pair);
    inner.once('close', () => {
      pairs.delete(pair);
      outer?.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const drop = (): void => {
    for (const [inner, outer] of pairs) {
      inner.resetAndDestroy();
      outer?.destroy();
    }
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => {
      mode = 'cut';
      drop();
    },
    blackHole: () => {
      mode = 'black-hole';
      for (const [inner, outer] of pairs) {
        inner.unpipe().resume();
        outer?.unpipe().resume();
      }
    },
    heal: () => {
      mode = 'open';
      drop();
    },
    close: async () => {
      drop();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function join(inner: Socket, target: { readonly host: string; readonly port: number }): Socket {
  const outer = connect(target.port, target.host);
  outer.on('error', () => inner.destroy());
  outer.once('close', () => inner.destroy());
  inner.pipe(outer).pipe(inner);
  return outer;
}
