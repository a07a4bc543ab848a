import { type CanActivate, createParamDecorator, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { type Network, type Scope, UUID } from '@baton/contracts';
import { addressOf, checkAddress, digestOfApiKey, looksLikeApiKey, networksOf, Problem } from '@baton/platform';
import { createHash, timingSafeEqual } from 'node:crypto';
import { apiKeys } from './api-key.store';
import type { CatalogStore } from './catalog.store';
import { tenants } from './tenant.store';

/** Who calls: the operator of the platform, or one tenant by a key of its own. */
export type Caller =
  | { readonly kind: 'operator' }
  | {
      readonly kind: 'tenant';
      readonly tenantId: string;
      readonly keyId: string;
      readonly scopes: readonly Scope[];
      readonly test: boolean;
    };

interface CallingRequest {
  readonly method: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly socket?: { readonly remoteAddress?: string | undefined };
  caller?: Caller;
  tenantId?: string;
}

const PLATFORM = 'baton:platform';
/** A route of the platform, not of one tenant: the operator needs no Baton-Tenant header here. */
export const PlatformRoute = (): MethodDecorator => SetMetadata(PLATFORM, true);

export const TheCaller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<CallingRequest>().caller,
);
/** Whose data this request is about; it exists. */
export const TheTenant = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<CallingRequest>().tenantId,
);

export interface GuardParts {
  readonly catalog: CatalogStore;
  readonly adminKey: string;
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly Network[];
  readonly now: () => Date;
}

/** On every route. Reading needs catalog:read, anything else catalog:write. */
export class CallerGuard implements CanActivate {
  private readonly adminDigest: Buffer;
  constructor(private readonly parts: GuardParts) {
    this.adminDigest = sha256(parts.adminKey);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const isPlatform = Reflect.getMetadata(PLATFORM, context.getHandler()) === true;
    await this.admit(context.switchToHttp().getRequest<CallingRequest>(), isPlatform);
    return true;
  }

  /** Notes on the request who calls and for which tenant; throws the problem if they may not. */
  private async admit(request: CallingRequest, isPlatform: boolean): Promise<void> {
    const caller = await this.callerOf(request);
    const named = request.headers['baton-tenant'];
    request.caller = caller;
    if (caller.kind === 'tenant') {
      if (named !== undefined && named !== caller.tenantId) throw new Problem('tenant_mismatch');
      const needed: Scope = request.method === 'GET' || request.method === 'HEAD' ? 'catalog:read' : 'catalog:write';
      if (!caller.scopes.includes(needed))
        throw new Problem('scope_missing', `This needs the scope ${needed}; the key has ${caller.scopes.join(', ') || 'none'}.`);
      request.tenantId = caller.tenantId;
    } else if (!isPlatform) {
      request.tenantId = await this.namedTenant(named);
    }
  }

  /** For a route outside Nest: whose data the request is about. */
  async tenantFor({ method, headers, socket }: Omit<CallingRequest, 'caller' | 'tenantId'>): Promise<string> {
    const request: CallingRequest = { method, headers, ...(socket ? { socket } : {}) };
    await this.admit(request, false);
    return request.tenantId as string;
  }

  private async callerOf(request: CallingRequest): Promise<Caller> {
    const { authorization } = request.headers;
    const text = typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
    if (!text) throw unauthorised('There is no "Authorization: Bearer <key>" header.');
    // Digests have one length, so comparing them tells nothing of the key's.
    if (timingSafeEqual(sha256(text), this.adminDigest)) return { kind: 'operator' };
    const caller = looksLikeApiKey(text) ? await this.tenantOf(digestOfApiKey(text), request) : null;
    if (!caller) throw unauthorised('This key is not known, was revoked or has expired.');
    return caller;
  }

  private async tenantOf(digest: string, request: CallingRequest): Promise<Caller | null> {
    const owner = await this.parts.catalog.untenanted((tx) => apiKeys.ownerOf(tx, digest));
    if (!owner) return null;
    const key = await this.parts.catalog.read(owner.tenantId, (tx) => apiKeys.find(tx, owner.tenantId, owner.id));
    const { state, expiresAt, scopes, test, allowedAddresses } = key?.data ?? {};
    if (state !== 'active' || !scopes || (expiresAt && Date.parse(expiresAt) <= this.parts.now().getTime())) return null;
    checkAddress({ networks: allowedAddresses ? networksOf(allowedAddresses) : null }, addressOf(request, this.parts.trustedProxies));
    return { kind: 'tenant', tenantId: owner.tenantId, keyId: owner.id, scopes, test: test === true };
  }

  private async namedTenant(named: string | string[] | undefined): Promise<string> {
    if (typeof named !== 'string')
      throw new Problem('tenant_missing', 'The operator acts for a tenant: name it in the header "Baton-Tenant: <tenant id>".');
    if (!UUID.test(named))
      throw new Problem(
        'tenant_missing',
        'The header Baton-Tenant is not a tenant id: send the id (a UUID in lower case) that POST /v1/tenants answered.',
      );
    const tenant = await this.parts.catalog.read(named, (tx) => tenants.find(tx, named));
    if (!tenant) throw new Problem('not_found', 'There is no tenant of the id that the header Baton-Tenant names.');
    return named;
  }
}

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest();
const unauthorised = (detail: string): Problem => new Problem('unauthorised', detail, { headers: { 'WWW-Authenticate': 'Bearer' } });
