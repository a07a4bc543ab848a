import type { RateLimit } from '@baton/contracts';
import type { Database, LiveKey } from '@baton/platform';
import type { KeyUseStore } from './key-use.store';

export interface KeyAnswer {
  readonly id: string;
  readonly scopes: readonly string[];
  readonly test: boolean;
  readonly program_id: string | null;
  /** What applies: the key's own, or what every key is granted. Null: none. */
  readonly rate_limit: { readonly requests: number; readonly window_seconds: number } | null;
  /** Null: from anywhere. */
  readonly allowed_addresses: readonly string[] | null;
  readonly signed: boolean;
  readonly expires_at: string | null;
  /** At any replica, to about a minute. Null: never noted yet. */
  readonly last_used_at: string | null;
}

export interface CurrentKeyParts {
  readonly database: Database;
  readonly store: KeyUseStore;
  readonly limit: RateLimit | null;
}

/** What a key is told of itself. */
export class CurrentKey {
  constructor(private readonly parts: CurrentKeyParts) {}

  async answer(key: LiveKey): Promise<KeyAnswer> {
    const { database, store, limit } = this.parts;
    const lastUsed = await database.transaction([key.tenantId], (tx) => store.lastUsed(tx, key.tenantId, key.keyId));
    const applies = key.rateLimit ?? limit;
    return {
      id: key.keyId,
      scopes: key.scopes,
      test: key.test,
      program_id: key.programId ?? null,
      rate_limit: applies && { requests: applies.requests, window_seconds: applies.windowSeconds },
      allowed_addresses: key.allowedAddresses,
      signed: key.signed,
      expires_at: key.expiresAt?.toISOString() ?? null,
      last_used_at: lastUsed?.toISOString() ?? null,
    };
  }
}
