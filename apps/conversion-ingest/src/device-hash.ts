import { createHmac } from 'node:crypto';

/** HMAC-SHA256 (hex) of an app's id of its device, under a key of the tenant's own: enough to tell a repeat from another device. */
export function deviceHash(key: string, tenantId: string, deviceId: string): string {
  const tenantKey = createHmac('sha256', key).update(`device:${tenantId}`).digest();
  return createHmac('sha256', tenantKey).update(deviceId).digest('hex');
}
