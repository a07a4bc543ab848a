import { defineEvent } from '../define';
import { Flag, Instant, Nested, OneOf, Optional, Pattern, TextList, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { Entity, entityId } from './entity';

/** `admin` is the platform's own key; the others belong to one tenant. */
export const SCOPES = [
  'conversions:write',
  'reversals:write',
  'identities:write',
  'receipts:read',
  'rewards:read',
  'catalog:read',
  'catalog:write',
  'deep_links:claim',
] as const;
export type Scope = (typeof SCOPES)[number];
/** One key has at most so many, as was published when there were no more. `deep_links:claim` is for keys that have nothing else: an app cannot keep a secret. */
export const SCOPES_OF_KEY_MAX = 7;

/** Most networks on the allow list of a key, and the longest text of one. */
export const ADDRESSES_OF_KEY_MAX = 50;
export const NETWORK_TEXT_MAX = 49;

/** So many requests at once, and as many again in each window: they come back evenly, not at its end. */
export class RateLimit {
  @Whole(1, 1_000_000) requests!: number;
  @Whole(1, 86_400) windowSeconds!: number;
}

/** The digest of an API key: the key itself is shown once and kept by nobody. */
export class ApiKeyData extends Entity {
  /** SHA-256 of the whole key, hex. */
  @Pattern(/^[0-9a-f]{64}$/) digest!: string;
  @TextList(SCOPES_OF_KEY_MAX, 64) scopes!: Scope[];
  /** Conversions of a test key do everything and never reach money. */
  @Flag() test!: boolean;
  @OneOf(['secret']) kind!: 'secret';
  @Optional() @Instant() expiresAt?: string | null;
  @Optional() @Uuid() programId?: string | null;
  /** Absent: what conversion-ingest grants every key. */
  @Optional() @Nested(() => RateLimit) rateLimit?: RateLimit | null;
  /** Networks (CIDR) that the key works from, IPv4 and IPv6. Absent: anywhere. */
  @Optional() @TextList(ADDRESSES_OF_KEY_MAX, NETWORK_TEXT_MAX) allowedAddresses?: string[] | null;
  /** Requests must be signed. The signing secret is derived from the key's id by who knows the root; it is never here. */
  @Optional() @Flag() signed?: boolean | null;
}

export const ApiKeyChanged = defineEvent<ApiKeyData>({
  type: 'credential.api_key',
  version: 1,
  topic: TOPICS.credentials,
  schema: ApiKeyData,
  keyOf: (d) => d.id,
  idOf: entityId('api_key'),
  timeOf: (d) => d.changedAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    id: '12121212-1212-4212-8212-121212121212',
    version: 1,
    state: 'active',
    changedAt: '2026-01-01T00:00:00.000Z',
    catalogVersion: 1,
    digest: '0'.repeat(64),
    scopes: ['conversions:write', 'reversals:write', 'identities:write', 'receipts:read'],
    test: false,
    kind: 'secret',
  },
});
