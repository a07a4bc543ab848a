import { type CanActivate, createParamDecorator, type ExecutionContext, Injectable, SetMetadata } from '@nestjs/common';
import { type Address, addressText, clientAddress, isWithin, type Network, parseAddress, type Scope } from '@baton/contracts';
import type { LimitedKey, Quota, QuotaState } from './api-key-quota';
import { checkSignature, type SignedId, signingSecretOf } from './api-key-signature';
import type { ApiKeys, Caller, LiveKey } from './api-keys';
import { Problem } from './problem';

/** What admission looks at, and what it notes: a request of Fastify's, inside of controllers and outside. */
export interface KeyedRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly socket?: { readonly remoteAddress?: string | undefined };
  readonly body?: unknown;
  /** To the letter as it came. */
  readonly rawBody?: Buffer;
  caller?: Caller & LimitedKey;
  quota?: QuotaState | null;
}

/** `any`: every live key may, whatever its scopes. */
export type NeededScope = Scope | 'any';

export interface Admitting {
  /** Undefined: granted to nobody. */
  readonly scope: NeededScope | undefined;
  /** A key that came elsewhere than in `Authorization: Bearer`; null: it was looked for there, and there is none. */
  readonly keyText?: string | null;
  /** What signatures are over, where the request does not hold it. */
  readonly rawBody?: Buffer;
  /** How many things are asked for at once; a batch counts each. */
  readonly items?: number;
}

/** Remembers under which id a signed request came. */
export interface SignedIds {
  /** The digest of what came under this id first: this one's, or another's. Throws `InfrastructureError`. */
  claim(keyId: string, signed: SignedId): Promise<string>;
}

export interface AdmissionParts {
  readonly keys: ApiKeys;
  /** Whose X-Forwarded-For is believed. */
  readonly trustedProxies: readonly Network[];
  /** Absent: a key that must be signed for is refused here. */
  readonly signing?: { readonly root: string; readonly ids: SignedIds };
  readonly quota?: Quota;
  readonly used?: (key: LiveKey) => void;
}

/** The one place where a request is let in: live key, then address, signature, scope, rate. Whatever it refuses has stored nothing. */
export class Admission {
  constructor(private readonly parts: AdmissionParts) {}

  /** Notes the caller and what is left of its limit on the request. Throws the `Problem`, or `InfrastructureError`. */
  async admit(request: KeyedRequest, { scope, keyText, rawBody, items = 1 }: Admitting): Promise<LiveKey> {
    const key = await this.liveKey(keyText === undefined ? bearerOf(request.headers) : keyText, keyText === undefined);
    checkAddress(key, addressOf(request, this.parts.trustedProxies));
    const signed = this.signedId(key, request, rawBody ?? request.rawBody);
    this.parts.used?.(key);
    request.caller = key;
    request.quota = this.parts.quota?.state(key) ?? null;
    needScope(key, scope);
    await this.charge(request, items);
    // Last, so that what is refused leaves its id free.
    if (signed && (await this.parts.signing?.ids.claim(key.keyId, signed)) !== signed.bodyHash)
      throw new Problem('conflict', 'Another request came under this webhook-id before. Send the same one, or a new id.');
    return key;
  }

  /** Counts more items of a request that was let in: for a batch whose length shows while it is read. */
  async charge(request: KeyedRequest, items: number): Promise<void> {
    const { caller } = request;
    if (!this.parts.quota || !caller || items < 1) return;
    const { granted, state, retrySeconds } = await this.parts.quota.take(caller, items);
    request.quota = state;
    if (granted || !state) return;
    const { requests, windowSeconds } = state.limit;
    const may = `This key may send ${requests} in ${windowSeconds} s`;
    throw new Problem(
      'over_quota',
      items > requests
        ? `${may}, and this asks for ${items} at once. Send at most ${requests} at a time.`
        : `${may}; ${state.remaining} are left, and ${items === 1 ? 'one was' : `${items} were`} asked for. Try again in ${retrySeconds} s.`,
      { headers: { 'Retry-After': String(retrySeconds) } },
    );
  }

  private async liveKey(text: string | null | undefined, isBearer: boolean): Promise<LiveKey> {
    if (!text)
      throw unauthorised(
        isBearer ? 'There is no "Authorization: Bearer <key>" header.' : 'There is no key where this endpoint looks for one.',
      );
    const key = await this.parts.keys.find(text);
    if (!key) throw unauthorised('This key is not known, was revoked or has expired.');
    return key;
  }

  private signedId(key: LiveKey, { method, url, headers, body }: KeyedRequest, rawBody: Buffer | undefined): SignedId | null {
    if (!key.signed) return null;
    const { signing } = this.parts;
    if (!signing) throw new Problem('signature_invalid', 'This key works for signed requests alone, and signatures are not read here.');
    // A body that was not kept cannot be checked: better refused than believed.
    if (!rawBody && body !== undefined && body !== null)
      throw new Problem('signature_invalid', 'Signatures are not read on this route for such a body. Send application/json.');
    return checkSignature(signingSecretOf(signing.root, key.keyId), { method, url, headers, body: rawBody ?? NOTHING }, Date.now());
  }
}

const NOTHING = Buffer.alloc(0);

/** Refuses a caller whose key lacks the scope, with the scopes that it has. */
export function needScope(key: LiveKey, scope: NeededScope | undefined): void {
  if (scope === 'any' || (scope && key.scopes.includes(scope))) return;
  throw new Problem(
    'scope_missing',
    `This needs the scope ${scope ?? '(none is granted for this route)'}; the key has ${key.scopes.join(', ') || 'none'}.`,
  );
}

/** Where a request comes from: its peer, or what the nearest of our own proxies says. */
export function addressOf({ socket, headers }: Pick<KeyedRequest, 'socket' | 'headers'>, trusted: readonly Network[]): Address | null {
  const peer = socket?.remoteAddress === undefined ? null : parseAddress(socket.remoteAddress);
  const forwarded = headers['x-forwarded-for'];
  return clientAddress(peer, Array.isArray(forwarded) ? forwarded.join(',') : forwarded, trusted);
}

/** Throws where the key does not work from this address. */
export function checkAddress({ networks }: Pick<LiveKey, 'networks'>, address: Address | null): void {
  if (!networks || (address && isWithin(address, networks))) return;
  throw new Problem('address_not_allowed', `This key does not work from ${address ? addressText(address) : 'an unknown address'}.`);
}

const bearerOf = (headers: KeyedRequest['headers']): string | undefined => {
  const { authorization } = headers;
  return typeof authorization === 'string' ? /^Bearer +(\S+)$/i.exec(authorization)?.[1] : undefined;
};

const unauthorised = (detail: string): Problem => new Problem('unauthorised', detail, { headers: { 'WWW-Authenticate': 'Bearer' } });

const NEEDS = 'baton:scope';
/** What a key must be allowed to do here, and how many items a body asks for (one, unless said otherwise). A route without it answers 403 to everybody. */
export const NeedsScope = (scope: NeededScope, itemsOf?: (body: unknown) => number): MethodDecorator =>
  SetMetadata(NEEDS, { scope, itemsOf });

/** The caller of this request, as the guard found it. */
export const TheCaller = createParamDecorator(
  (_: unknown, context: ExecutionContext) => context.switchToHttp().getRequest<KeyedRequest>().caller,
);

@Injectable()
export class ApiKeyGuard implements CanActivate {
  constructor(private readonly admission: Admission) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<KeyedRequest>();
    const needs = Reflect.getMetadata(NEEDS, context.getHandler()) as
      { readonly scope: NeededScope; readonly itemsOf?: (body: unknown) => number } | undefined;
    await this.admission.admit(request, { scope: needs?.scope, items: needs?.itemsOf?.(request.body) ?? 1 });
    return true;
  }
}
