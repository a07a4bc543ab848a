import type { Database, Log, Part, SignedId, SignedIds } from '@baton/platform';
import type { SignedIdRow, SignedIdStore } from './signed-id.store';

/** Longer than anybody's retries. */
const KEPT_MS = 3 * 86_400_000;
const SWEEP_EVERY_MS = 10 * 60_000;
const BATCH_MAX = 500;

interface Claim extends SignedIdRow {
  readonly resolve: (bodyHash: string) => void;
  readonly reject: (error: unknown) => void;
}

export interface SignedIdsParts {
  readonly api: Database;
  readonly worker: Database;
  readonly store: SignedIdStore;
  readonly now: () => number;
  readonly log: Log;
}

/** Which request came under which webhook-id. Those that come while a transaction is under way share the next. */
export class PgSignedIds implements SignedIds, Part {
  readonly name = 'signed ids';
  private waiting: Claim[] = [];
  private isBusy = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly parts: SignedIdsParts) {}

  claim(keyId: string, { idHash, bodyHash }: SignedId): Promise<string> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ keyId, idHash, bodyHash, resolve, reject });
      if (!this.isBusy) void this.work();
    });
  }

  async start(): Promise<void> {
    this.timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
    this.timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
  }

  /** Forgets what is old. Never throws. */
  async sweep(): Promise<void> {
    const before = new Date(this.parts.now() - KEPT_MS).toISOString();
    try {
      while ((await this.parts.worker.untenanted((tx) => this.parts.store.forget(tx, before))) > 0);
    } catch (error) {
      this.parts.log.debug({ err: error }, 'old webhook-ids could not be forgotten; next time');
    }
  }

  private async work(): Promise<void> {
    this.isBusy = true;
    while (this.waiting.length > 0) await this.settle(this.waiting.splice(0, BATCH_MAX));
    this.isBusy = false;
  }

  private async settle(claims: readonly Claim[]): Promise<void> {
    try {
      const at = new Date(this.parts.now()).toISOString();
      const first = new Map<string, SignedIdRow>();
      for (const { keyId, idHash, bodyHash } of claims) {
        const name = `${keyId} ${idHash}`;
        if (!first.has(name)) first.set(name, { keyId, idHash, bodyHash });
      }
      const known = await this.parts.api.untenanted((tx) => this.parts.store.claim(tx, [...first.values()], at));
      for (const { keyId, idHash, resolve } of claims) resolve(known.get(`${keyId} ${idHash}`) as string);
    } catch (error) {
      for (const { reject } of claims) reject(error);
    }
  }
}
