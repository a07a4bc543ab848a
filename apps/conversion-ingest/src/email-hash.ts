import { createHmac } from 'node:crypto';

/** HMAC-SHA256 (hex) of the canonical address under a key of the tenant's own, so that no two tenants can compare; null for no address. */
export function emailHash(key: string, tenantId: string, email: string | null | undefined): string | null {
  const canonical = (email ?? '').trim().toLowerCase();
  if (canonical === '') return null;
  const tenantKey = createHmac('sha256', key).update(`email:${tenantId}`).digest();
  return createHmac('sha256', tenantKey).update(canonical).digest('hex');
}
