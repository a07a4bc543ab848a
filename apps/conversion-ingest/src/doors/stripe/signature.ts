import { createHmac, timingSafeEqual } from 'node:crypto';
import type { DoorRequest } from '../door';

const TOLERANCE_S = 300;
/** While a secret is rotated there are two. */
const SIGNATURES_MAX = 10;
const SHA256_HEX = /^[0-9a-f]{64}$/;

/** `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>…]`, HMAC-SHA256 of `<t>.<body>` under one of the secrets, at most 300 s old. */
export function isSigned({ headers, raw, receivedAtMs }: DoorRequest, secrets: readonly string[]): boolean {
  const parts = (headers['stripe-signature'] ?? '').split(',').map((part) => part.trim().split('='));
  const at = parts.find(([name]) => name === 't')?.[1] ?? '';
  if (!/^\d{1,12}$/.test(at) || Math.abs(receivedAtMs / 1000 - Number(at)) > TOLERANCE_S) return false;
  const given = parts
    .flatMap(([name, value]) => (name === 'v1' && value !== undefined && SHA256_HEX.test(value) ? [Buffer.from(value, 'hex')] : []))
    .slice(0, SIGNATURES_MAX);
  return secrets.some((secret) => {
    const expected = createHmac('sha256', secret).update(`${at}.`).update(raw).digest();
    return given.some((one) => timingSafeEqual(one, expected));
  });
}
