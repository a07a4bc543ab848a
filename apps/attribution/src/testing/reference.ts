import type {
  AttributionRevisedData,
  ClickRecordedData,
  ConversionReceivedData,
  ConversionVerifiedData,
  IdentityLinkedData,
  LinkData,
  Outgoing,
  ProgramData,
  ReversalReceivedData,
} from '@baton/contracts';
import { peekClickId } from '@baton/contracts';

/** What a revision comes to, for comparing. */
export interface Summary {
  readonly outcome: string;
  /** The finer one where there is one. */
  readonly reason: string;
  readonly winner: string | null;
  readonly evidence: string | null;
  readonly recorded: boolean | null;
  readonly programId: string | null;
  readonly terms: number | null;
  readonly netAmountMinor: number;
  readonly taken: readonly string[];
  readonly lost: readonly string[];
}

export const summaryOf = ({
  outcome,
  reason,
  finerReason,
  credits: [credit],
  programId,
  model,
  conversion,
  lost,
}: AttributionRevisedData): Summary => ({
  outcome,
  reason: finerReason ?? reason,
  winner: credit?.clickId ?? null,
  evidence: credit?.evidence ?? null,
  recorded: credit?.recorded ?? null,
  programId: programId ?? null,
  terms: model?.programVersion ?? null,
  netAmountMinor: conversion.netAmountMinor,
  taken: conversion.reversals.map((r) => `${r.reversalId} ${r.amountMinor}`),
  lost: lost.map((l) => `${l.clickId} ${l.reason}`),
});

/**
 * The rules once more, as plainly as they can be said, over the whole set of facts at once: slow, without a database, and sharing no code with
 * the domain. What the service ends at must equal it. Everything has had its time to wait (`settled`), or nothing has.
 */
export function reference(facts: readonly Outgoing[], settled: boolean): Map<string, Summary> {
  const all = <T>(type: string): T[] => facts.filter(({ contract }) => contract.type === type).map(({ data }) => data as T);
  const clicks = all<ClickRecordedData>('click.recorded');
  const conversions = all<ConversionReceivedData>('conversion.received');
  const identities = all<IdentityLinkedData>('identity.linked');
  const reversals = all<ReversalReceivedData>('reversal.received');
  const verifications = all<ConversionVerifiedData>('conversion.verified');
  const links = all<LinkData>('catalog.link');
  const programs = all<ProgramData>('catalog.program');

  const namings = [
    ...clicks.map((c) => [c.tenantId, `c ${c.clickId}`, `v ${c.visitorId ?? `none ${c.clickId}`}`]),
    ...identities.map((i) => [i.tenantId, ...i.identifiers.map(({ kind, value }) => `${PREFIX[kind]} ${value}`)]),
    ...conversions.map((c) => [
      c.tenantId,
      `o ${c.externalId}`,
      ...(c.clickId ? [`c ${c.clickId}`] : []),
      ...(c.customerId ? [`k ${c.customerId}`] : []),
      ...(c.visitorId ? [`v ${c.visitorId}`] : []),
    ]),
  ].map(([tenant, ...names]) => names.map((name) => `${tenant} ${name}`));

  return new Map(
    conversions.map((conversion) => {
      const mine = new Set([`${conversion.tenantId} o ${conversion.externalId}`]);
      for (let size = -1; size !== mine.size;) {
        size = mine.size;
        for (const naming of namings) if (naming.some((name) => mine.has(name))) naming.forEach((name) => mine.add(name));
      }
      const clickIds = [...mine].filter((name) => name.slice(37).startsWith('c ')).map((name) => name.slice(39));
      const convertedMs = Date.parse(conversion.occurredAt);
      const candidates = clickIds.map((clickId) => {
        const signed = peekClickId(clickId) as { linkNumber: number; occurredAtMs: number };
        const record = clicks.find((c) => c.tenantId === conversion.tenantId && c.clickId === clickId);
        const link = links.find((l) => l.tenantId === conversion.tenantId && l.number === signed.linkNumber);
        const programId = record?.programId ?? link?.programId;
        const terms = programs
          .filter((p) => p.tenantId === conversion.tenantId && p.id === programId && Date.parse(p.validFrom) <= convertedMs)
          .sort((a, b) => b.version - a.version)[0];
        const isNamed = clickId === conversion.clickId;
        const ageMs = convertedMs - signed.occurredAtMs;
        const bars: [string, boolean][] = [
          ['not_countable', !!record && (record.bot || record.prefetch)],
          ['after_conversion', !isNamed && ageMs < 0],
          ['program_unknown', !programId],
          ['other_program', !!conversion.programId && conversion.programId !== programId],
          ['program_unknown', !terms],
          ['after_conversion', -ageMs > (terms?.clockSkewMs ?? 0)],
          ['outside_window', ageMs > (terms?.windowMs ?? 0)],
        ];
        const bar = bars.find(([, applies]) => applies)?.[0] ?? null;
        return { clickId, isNamed, bar, terms, programId, record, ms: signed.occurredAtMs };
      });
      candidates.sort((a, b) => b.ms - a.ms || (a.clickId < b.clickId ? 1 : -1));
      const byStrength = [...candidates.filter((c) => c.isNamed), ...candidates.filter((c) => !c.isNamed)];
      const first = byStrength.find((c) => c.bar === null || (c.bar === 'program_unknown' && !settled));
      const winner = first?.bar === null ? first : undefined;
      const named = candidates.find((c) => c.isNamed);
      const closest = ['program_unknown', 'outside_window', 'after_conversion', 'other_program', 'not_countable'].find((reason) =>
        candidates.some((c) => c.bar === reason),
      );
      const isTied =
        identities.some((i) => ties(i, conversion, winner?.clickId)) ||
        conversions.some(
          (c) => c.tenantId === conversion.tenantId && c.customerId === conversion.customerId && c.clickId === winner?.clickId,
        );

      let left = conversion.amountMinor;
      const taken = reversals
        .filter((r) => r.tenantId === conversion.tenantId && r.externalId === conversion.externalId)
        .sort((a, b) => (`${a.occurredAt} ${a.reversalId}` < `${b.occurredAt} ${b.reversalId}` ? -1 : 1))
        .map((r) => {
          const amount = Math.min(left, r.amountMinor ?? left);
          left -= amount;
          return `${r.reversalId} ${amount}`;
        });
      const summary: Summary = {
        outcome: winner ? 'attributed' : first || (candidates.length === 0 && !settled) ? 'pending' : 'unattributed',
        reason: winner
          ? 'credited'
          : first
            ? 'awaiting_catalog'
            : candidates.length === 0
              ? settled
                ? 'no_touch'
                : 'awaiting_touch'
              : (named?.bar ?? closest ?? ''),
        winner: winner?.clickId ?? null,
        evidence: !winner ? null : winner.isNamed ? 'click_id' : conversion.customerId && isTied ? 'customer_id' : 'identity',
        recorded: winner ? !!winner.record : null,
        programId: conversion.programId ?? winner?.programId ?? null,
        terms:
          (
            winner?.terms ??
            programs
              .filter((p) => p.tenantId === conversion.tenantId && p.id === conversion.programId && Date.parse(p.validFrom) <= convertedMs)
              .sort((a, b) => b.version - a.version)[0]
          )?.version ?? null,
        netAmountMinor: left,
        taken,
        lost: candidates
          .filter((c) => c !== winner && (winner || (c.bar !== null && (settled || c.bar !== 'program_unknown'))))
          .slice(0, 20)
          .map((c) => `${c.clickId} ${c.bar ?? (winner?.isNamed ? 'named_click_won' : 'later_touch_won')}`),
      };
      const isVerified = verifications.some(
        (v) => v.tenantId === conversion.tenantId && v.externalId === conversion.externalId && v.test === conversion.test,
      );
      if (conversion.pendingVerification && !isVerified) {
        const nobody = { winner: null, evidence: null, recorded: null, terms: null, lost: [], programId: conversion.programId ?? null };
        return [conversion.conversionId, { ...summary, ...nobody, outcome: 'pending', reason: 'awaiting_verification' }];
      }
      return [conversion.conversionId, summary];
    }),
  );
}

const PREFIX = { click_id: 'c', customer_id: 'k', visitor_id: 'v', email_hash: 'e' };

const ties = (identity: IdentityLinkedData, conversion: ConversionReceivedData, clickId: string | undefined): boolean =>
  identity.tenantId === conversion.tenantId &&
  identity.identifiers.some((i) => i.kind === 'customer_id' && i.value === conversion.customerId) &&
  identity.identifiers.some((i) => i.kind === 'click_id' && i.value === clickId);
