import { createHmac } from 'node:crypto';

/** Tenants' keys, each derived once. */
const tenantKeys = new Map<string, Buffer>();
const TENANTS_MAX = 10_000;

/** HMAC-SHA256 (hex) of the canonical address under a key of the tenant's own, so that no two tenants can compare; null for no address. */
export function emailHash(key: string, tenantId: string, email: string | null | undefined): string | null {
  const canonical = (email ?? '').trim().toLowerCase();
  if (canonical === '') return null;
  return createHmac('sha256', tenantKeyOf(key, tenantId)).update(canonical).digest('hex');
}

function tenantKeyOf(key: string, tenantId: string): Buffer {
  const name = `${tenantId} ${key}`;
  const known = tenantKeys.get(name);
  if (known) return known;
  const made = createHmac('sha256', key).update(`email:${tenantId}`).digest();
  if (tenantKeys.size >= TENANTS_MAX) tenantKeys.clear();
  tenantKeys.set(name, made);
  return made;
}
