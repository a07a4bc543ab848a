import { ApiKeyChanged, type Network, parseNetworks, type RateLimit } from '@baton/contracts';
import { type Database, on, type Route } from '../ports';
import { digestOfApiKey, looksLikeApiKey } from './api-key-text';

/** Who calls: the tenant comes from the credential alone. */
export interface Caller {
  readonly tenantId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly test: boolean;
  readonly programId?: string | null;
}

/** A caller's key with what it may not do beyond its scopes. */
export interface LiveKey extends Caller {
  readonly expiresAt: Date | null;
  readonly rateLimit: RateLimit | null;
  readonly signed: boolean;
  /** As its tenant wrote them, and read; null: from anywhere. */
  readonly allowedAddresses: readonly string[] | null;
  readonly networks: readonly Network[] | null;
}

interface KeyRow {
  readonly id: string;
  readonly owner: string;
  readonly state: string;
  readonly scopes: string[];
  readonly test: boolean;
  readonly expires_at: Date | null;
  readonly program_id: string | null;
  readonly rate_limit: RateLimit | null;
  readonly allowed_addresses: string[] | null;
  readonly signed: boolean;
}

/** Keys are looked up again after this long, so a revoked one is refused well within 60 s. */
const CACHE_MS = 5_000;
const CACHE_MAX = 10_000;

/** API keys by digest, from the credentials topic by way of `api_keys` (which lies outside tenancy: it is what tells the tenant). */
export class ApiKeys {
  private readonly cache = new Map<string, { readonly until: number; readonly key: LiveKey }>();
  constructor(private readonly database: Database) {}

  /** The live key of a text, or null. Throws `InfrastructureError` while the database cannot be asked. */
  async find(text: string): Promise<LiveKey | null> {
    if (!looksLikeApiKey(text)) return null;
    const digest = digestOfApiKey(text);
    const now = Date.now();
    const cached = this.cache.get(digest);
    if (cached && cached.until > now) return cached.key;
    const key = await this.load(digest, now);
    if (this.cache.size >= CACHE_MAX) this.cache.clear();
    // A key that is not known is asked for again at once: it may have been made a moment ago. One that expires soon is not kept past that.
    if (key) this.cache.set(digest, { until: Math.min(now + CACHE_MS, key.expiresAt?.getTime() ?? Infinity), key });
    else this.cache.delete(digest);
    return key;
  }

  private async load(digest: string, now: number): Promise<LiveKey | null> {
    const [row] = await this.database.untenanted((tx) =>
      tx.$queryRawUnsafe<KeyRow[]>(
        'SELECT id, owner, state, scopes, test, expires_at, program_id, rate_limit, allowed_addresses, signed FROM api_keys WHERE digest = $1',
        digest,
      ),
    );
    if (!row || row.state !== 'active' || (row.expires_at && row.expires_at.getTime() <= now)) return null;
    return {
      tenantId: row.owner,
      keyId: row.id,
      scopes: row.scopes,
      test: row.test,
      programId: row.program_id,
      expiresAt: row.expires_at,
      rateLimit: row.rate_limit,
      signed: row.signed,
      allowedAddresses: row.allowed_addresses,
      networks: row.allowed_addresses && networksOf(row.allowed_addresses),
    };
  }
}

/** What cannot be read lets nobody in: it is a restriction. */
export function networksOf(texts: readonly string[]): Network[] {
  try {
    return parseNetworks(texts.join(','));
  } catch {
    return [];
  }
}

/** Fills `api_keys` from the credentials topic. */
export const apiKeyRoutes = (): Route[] => [
  on(ApiKeyChanged, async (events, tx) => {
    const newest = new Map(events.map((event) => [event.data.id, event.data]));
    const rows = [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    await tx.$executeRawUnsafe(
      `INSERT INTO api_keys (id, owner, version, state, digest, scopes, test, expires_at, program_id, rate_limit, allowed_addresses, signed)
       SELECT r.id, r."tenantId", r.version, r.state, r.digest, ARRAY(SELECT jsonb_array_elements_text(r.scopes)), r.test, r."expiresAt", r."programId",
         r."rateLimit", r."allowedAddresses", coalesce(r.signed, false)
       FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, "tenantId" uuid, version int, state text, digest text, scopes jsonb, test boolean,
         "expiresAt" timestamptz, "programId" uuid, "rateLimit" jsonb, "allowedAddresses" text[], signed boolean)
       ORDER BY r.id
       ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, digest = excluded.digest, scopes = excluded.scopes,
         test = excluded.test, expires_at = excluded.expires_at, program_id = excluded.program_id, rate_limit = excluded.rate_limit,
         allowed_addresses = excluded.allowed_addresses, signed = excluded.signed
       WHERE excluded.version > api_keys.version`,
      JSON.stringify(rows),
    );
    return [];
  }),
];
