import {
  ClickRecorded,
  type ClickRecordedData,
  ConversionReceived,
  type ConversionReceivedData,
  ConversionVerified,
  emit,
  type Identifier,
  identifierText,
  IdentityLinked,
  LinkChanged,
  mintClickId,
  nameId,
  type Outgoing,
  ProgramChanged,
  ReversalReceived,
  type ReversalReceivedData,
} from '@baton/contracts';

/** Facts for specs: two tenants with the same numbers, names and external ids, so that whatever leaks between them shows. */
export const KEYS = new Map([[1, Buffer.alloc(32, 7)]]);
export const KEYS_TEXT = `1:${'07'.repeat(32)}`;
export const START_MS = Date.parse('2026-03-01T12:00:00.000Z');
export const WINDOW_MS = 3_600_000;
export const SKEW_MS = 60_000;

const iso = (ms: number): string => new Date(ms).toISOString();
export const at = (minutes: number): number => START_MS + minutes * 60_000;
export const programOf = (tenantId: string, name: string): string => nameId('program', tenantId, name);
export const linkOf = (tenantId: string, number: number): string => nameId('link', tenantId, number);
export const conversionIdOf = (tenantId: string, externalId: string): string => nameId('conversion', tenantId, externalId);

/** Each link number leads to the program of its parity. */
export const programOfLink = (tenantId: string, number: number): string => programOf(tenantId, number % 2 ? 'odd' : 'even');

export const clickIdOf = (tenantId: string, linkNumber: number, ms: number, nonce = 0): string =>
  mintClickId(KEYS, tenantId, { keyId: 1, linkNumber, occurredAtMs: ms, nonce });

export function click(tenantId: string, linkNumber: number, ms: number, more: Partial<ClickRecordedData> = {}): Outgoing {
  return emit(ClickRecorded, {
    ...ClickRecorded.sample,
    tenantId,
    clickId: clickIdOf(tenantId, linkNumber, ms),
    linkId: linkOf(tenantId, linkNumber),
    linkNumber,
    programId: programOfLink(tenantId, linkNumber),
    partnerId: nameId('partner', tenantId, linkNumber),
    occurredAt: iso(ms),
    ...more,
  });
}

export function conversion(tenantId: string, externalId: string, ms: number, more: Partial<ConversionReceivedData> = {}): Outgoing {
  const { clickId: _c, customerId: _k, programId: _p, ...sample } = ConversionReceived.sample;
  const conversionId = conversionIdOf(tenantId, externalId);
  return emit(ConversionReceived, {
    ...sample,
    tenantId,
    conversionId,
    externalId,
    receiptId: nameId('receipt', conversionId),
    occurredAt: iso(ms),
    receivedAt: iso(ms),
    ...more,
  });
}

export function identity(tenantId: string, ...identifiers: Identifier[]): Outgoing {
  const sorted = [...identifiers].sort((a, b) => (identifierText(a) < identifierText(b) ? -1 : 1));
  return emit(IdentityLinked, {
    ...IdentityLinked.sample,
    tenantId,
    identityId: nameId('identity', tenantId, ...sorted.map(identifierText)),
    identifiers: sorted,
  });
}

export function reversal(
  tenantId: string,
  externalId: string,
  name: string,
  amountMinor: number | null,
  ms: number,
  more: Partial<ReversalReceivedData> = {},
): Outgoing {
  return emit(ReversalReceived, {
    ...ReversalReceived.sample,
    tenantId,
    externalId,
    reversalId: nameId('reversal', tenantId, externalId, name),
    amountMinor,
    occurredAt: iso(ms),
    receivedAt: iso(ms),
    ...more,
  });
}

export const verification = (tenantId: string, externalId: string, ms: number, test = false): Outgoing =>
  emit(ConversionVerified, {
    ...ConversionVerified.sample,
    tenantId,
    externalId,
    conversionId: conversionIdOf(tenantId, externalId),
    verificationId: nameId('verification', tenantId, externalId, String(test)),
    occurredAt: iso(ms),
    receivedAt: iso(ms),
    test,
  });

export const program = (tenantId: string, name: string, version = 1, more: object = {}): Outgoing =>
  emit(ProgramChanged, {
    ...ProgramChanged.sample,
    tenantId,
    id: programOf(tenantId, name),
    version,
    windowMs: WINDOW_MS,
    clockSkewMs: SKEW_MS,
    ...more,
  });

export const link = (tenantId: string, number: number): Outgoing =>
  emit(LinkChanged, {
    ...LinkChanged.sample,
    tenantId,
    id: linkOf(tenantId, number),
    number,
    slug: `link-${number}`,
    programId: programOfLink(tenantId, number),
    partnerId: nameId('partner', tenantId, number),
  });
