import { AttributionRevised, ClickRecorded, type ClickRecordedData, emit, mintClickId, nameId, type Outgoing } from '@baton/contracts';

/** Facts for specs: every tenant has the same addresses, times and conversions, so that whatever leaks between tenants shows. */
const KEYS = new Map([[1, Buffer.alloc(32, 7)]]);
export const START_MS = Date.parse('2026-03-01T12:00:00.000Z');
const iso = (ms: number): string => new Date(ms).toISOString();
export const at = (seconds: number): number => START_MS + seconds * 1_000;
export const conversionIdOf = (tenantId: string, name: string): string => nameId('conversion', tenantId, name);
export const clickIdOf = (tenantId: string, ms: number, nonce: number): string =>
  mintClickId(KEYS, tenantId, { keyId: 1, linkNumber: 1, occurredAtMs: ms, nonce });

export const ADDRESS = 'b7f1c2';
export const NETWORK = '203.0.113.0/24';

export function click(tenantId: string, ms: number, nonce = 0, more: Partial<ClickRecordedData> = {}): Outgoing {
  const clickId = clickIdOf(tenantId, ms, nonce);
  return emit(ClickRecorded, {
    ...ClickRecorded.sample,
    tenantId,
    clickId,
    linkNumber: 1,
    occurredAt: iso(ms),
    addressHash: ADDRESS,
    network: NETWORK,
    ...more,
  });
}

/** So many clicks of one address, a millisecond apart, the last of them at `ms`. */
export const burst = (tenantId: string, ms: number, count: number, more: Partial<ClickRecordedData> = {}): Outgoing[] =>
  Array.from({ length: count }, (_, i) => click(tenantId, ms - count + 1 + i, 0, more));

/** A revision that credits a click at `ms`, or nobody; the conversion comes a minute later. */
export function attribution(
  tenantId: string,
  name: string,
  revision: number,
  ms: number | null,
  credited: { readonly addressHash?: string | null; readonly network?: string | null } = {},
): Outgoing {
  const { sample } = AttributionRevised;
  const [credit] = sample.credits;
  const credits =
    ms === null || !credit
      ? []
      : [{ ...credit, clickId: clickIdOf(tenantId, ms, 0), occurredAt: iso(ms), addressHash: ADDRESS, network: NETWORK, ...credited }];
  return emit(AttributionRevised, {
    ...sample,
    tenantId,
    conversionId: conversionIdOf(tenantId, name),
    revision,
    conversion: { ...sample.conversion, externalId: name, occurredAt: iso((ms ?? START_MS) + 60_000) },
    ...(credits.length > 0 ? {} : { outcome: 'unattributed' as const, reason: 'no_touch' as const }),
    credits,
  });
}
