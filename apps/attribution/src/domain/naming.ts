import { type ClickId, type ClickIdKeys, type Identifier, identifierText, verifyClickId } from '@baton/contracts';

/** What one fact names: the identifiers of one person, and the person's clicks and customers among them. */
export interface Naming {
  readonly tenantId: string;
  /** `kind:value`, distinct and sorted. */
  readonly identifiers: readonly string[];
}

/** A conversion's own identifier: what its reversals name, and what makes it a member of its person. */
export const EXTERNAL = 'external:';
export const CLICK = 'click_id:';
export const CUSTOMER = 'customer_id:';

export interface Evidence {
  readonly externalId?: string | null | undefined;
  readonly clickId?: string | null | undefined;
  readonly customerId?: string | null | undefined;
  readonly emailHash?: string | null | undefined;
  readonly visitorId?: string | null | undefined;
}

export function namingOf(tenantId: string, evidence: Evidence): Naming {
  const kinds = {
    external: evidence.externalId,
    click_id: evidence.clickId,
    customer_id: evidence.customerId,
    email_hash: evidence.emailHash,
    visitor_id: evidence.visitorId,
  };
  const named = Object.entries(kinds).flatMap(([kind, value]) => (value ? [`${kind}:${value}`] : []));
  return { tenantId, identifiers: named.sort() };
}

/** The identifiers of a linked identity that can be believed: a forged click id is no evidence of anything. */
export function namingOfIdentity(keys: ClickIdKeys, tenantId: string, identifiers: readonly Identifier[]): Naming {
  const believed = identifiers.filter(({ kind, value }) => kind !== 'click_id' || believedClickId(keys, tenantId, value) !== null);
  return { tenantId, identifiers: [...new Set(believed.map(identifierText))].sort() };
}

const FIRST_MS = Date.UTC(2000, 0, 1);
const LAST_MS = Date.UTC(2200, 0, 1);

/** What a signed click id says, or null when it was not issued for this tenant. */
export function believedClickId(keys: ClickIdKeys, tenantId: string, text: string): ClickId | null {
  const check = verifyClickId(keys, tenantId, text);
  if (check.kind === 'forged' || check.id.linkNumber < 1) return null;
  // Events carry years 2000 to 2199; an id of another time was signed by mistake.
  return check.id.occurredAtMs >= FIRST_MS && check.id.occurredAtMs < LAST_MS ? check.id : null;
}

/** The UTC day inside a click id, `YYYY-MM-DD`. */
export const dayOf = (id: ClickId): string => new Date(id.occurredAtMs).toISOString().slice(0, 10);

/** Values of one kind that a fact names. */
export const valuesOf = (naming: Naming, kind: typeof EXTERNAL | typeof CLICK | typeof CUSTOMER): string[] =>
  naming.identifiers.filter((identifier) => identifier.startsWith(kind)).map((identifier) => identifier.slice(kind.length));
