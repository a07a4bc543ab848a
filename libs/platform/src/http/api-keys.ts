import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { ApiKeyChanged, type Scope } from '@baton/contracts';
import { type Database, on, type Route } from '../ports';
import { digestOfApiKey, looksLikeApiKey } from './api-key-text';
import { Problem } from './problem';

/** Who calls: the tenant comes from the credential alone. */
export interface Caller {
  readonly tenantId: string;
  readonly keyId: string;
  readonly scopes: readonly string[];
  readonly test: boolean;
  readonly programId?: string | null;
}

interface KeyRow {
  readonly id: string;
  readonly owner: string;
  readonly state: string;
  readonly scopes: string[];
  readonly test: boolean;
  readonly expires_at: Date | null;
  readonly program_id: string | null;
}

/** Keys are looked up again after this long, so a revoked one is refused well within 60 s. */
const CACHE_MS = 5_000;
const CACHE_MAX = 10_000;

/** API keys by digest, from the credentials topic by way of `api_keys` (which lies outside tenancy: it is what tells the tenant). */
export class ApiKeys {
  private readonly cache = new Map<string, { readonly until: number; readonly caller: Caller | null }>();
  constructor(private readonly database: Database) {}

  /** The caller of a live key, or null. Throws `InfrastructureError` while the database cannot be asked. */
  async find(text: string): Promise<Caller | null> {
    if (!looksLikeApiKey(text)) return null;
    const digest = digestOfApiKey(text);
    const now = Date.now();
    const cached = this.cache.get(digest);
    if (cached && cached.until > now) return cached.caller;
    const caller = await this.load(digest, now);
    if (this.cache.size >= CACHE_MAX) this.cache.clear();
    // A key that is not known is asked for again at once: it may have been made a moment ago.
    if (caller) this.cache.set(digest, { until: now + CACHE_MS, caller });
    else this.cache.delete(digest);
    return caller;
  }

  private async load(digest: string, now: number): Promise<Caller | null> {
    const [row] = await this.database.untenanted((tx) =>
      tx.$queryRawUnsafe<KeyRow[]>('SELECT id, owner, state, scopes, test, expires_at, program_id FROM api_keys WHERE digest = $1', digest),
    );
    if (!row || row.state !== 'active' || (row.expires_at && row.expires_at.getTime() <= now)) return null;
    return { tenantId: row.owner, keyId: row.id, scopes: row.scopes, test: row.test, programId: row.program_id };
  }
}

/** Fills `api_keys` from the credentials topic. */
export const apiKeyRoutes = (): Route[] => [
  on(ApiKeyChanged, async (events, tx) => {
    const newest = new Map(events.map((event) => [event.data.id, event.data]));
    const rows = [...newest.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
    await tx.$executeRawUnsafe(
      `INSERT INTO api_keys (id, owner, version, state, digest, scopes, test, expires_at, program_id)
       SELECT r.id, r."tenantId", r.version, r.state, r.digest, ARRAY(SELECT jsonb_array_elements_text(r.scopes)), r.test, r."expiresAt", r."programId"
       FROM jsonb_to_recordset($1::jsonb) AS r(id uuid, "tenantId" uuid, version int, state text, digest text, scopes jsonb, test boolean, "expiresAt" timestamptz, "programId" uuid)
       ORDER BY r.id
       ON CONFLICT (id) DO UPDATE SET version = excluded.version, state = excluded.state, digest = excluded.digest, scopes = excluded.scopes,
         test = excluded.test, expires_at = excluded.expires_at, program_id = excluded.program_id
       WHERE excluded.version > api_keys.version`,
      JSON.stringify(rows),
    );
    return [];
  }),
];

const SCOPE = 'baton:scope';
/** What a key must be allowed to do here. A route without it answers 403 to everybody. */
export const NeedsScope = (scope: Scope): MethodDecorator => SetMetadata(SCOPE, scope);

interface CallingRequest {
  readonly headers: Record<string, string | string[] | undefined>;
  caller?: Caller;
}

/** The caller of this request, as the guard found it. */
export const TheCaller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<CallingRequest>().caller,
);

@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(private readonly keys: ApiKeys) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<CallingRequest>();
    const scope = Reflect.getMetadata(SCOPE, context.getHandler()) as Scope | undefined;
    request.caller = await callerOf(this.keys, request.headers['authorization'], scope);
    return true;
  }
}

/** For routes that answer outside of controllers, too. */
export async function callerOf(keys: ApiKeys, authorization: string | string[] | undefined, scope: Scope | undefined): Promise<Caller> {
  const text = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
  if (!text)
    throw new Problem('unauthorised', 'There is no "Authorization: Bearer <key>" header.', { headers: { 'WWW-Authenticate': 'Bearer' } });
  return admitKey(keys, text, scope);
}

/** Who this key is, wherever it stood in the request; throws a `Problem` where it may not do what it asks for. */
export async function admitKey(keys: ApiKeys, text: string | null, scope: Scope | undefined): Promise<Caller> {
  if (!text) throw new Problem('unauthorised', 'There is no key where this endpoint looks for one.');
  const caller = await keys.find(text);
  if (!caller)
    throw new Problem('unauthorised', 'This key is not known, was revoked or has expired.', { headers: { 'WWW-Authenticate': 'Bearer' } });
  if (!scope || !caller.scopes.includes(scope))
    throw new Problem(
      'scope_missing',
      `This needs the scope ${scope ?? '(none is granted for this route)'}; the key has ${caller.scopes.join(', ') || 'none'}.`,
    );
  return caller;
}
