import {
  type AttributionRevisedData,
  type Credit,
  type PlanData,
  PlanChanged,
  type ProgramData,
  ProgramChanged,
  type VerdictGivenData,
  VerdictGiven,
} from '@baton/contracts';

/** For specs: the contracts' frozen samples with a few words changed. */
export interface VerdictWords {
  readonly tenantId?: string;
  readonly conversionId?: string;
  readonly revision?: number;
  readonly seq?: number;
  readonly decision?: VerdictGivenData['decision'];
  readonly amountMinor?: number;
  readonly netAmountMinor?: number;
  readonly type?: AttributionRevisedData['conversion']['type'];
  readonly occurredAt?: string;
  readonly test?: boolean;
  readonly outcome?: AttributionRevisedData['outcome'];
  readonly credits?: readonly Credit[];
  readonly externalId?: string;
}

export function aVerdict(words: VerdictWords = {}): VerdictGivenData {
  const sample = VerdictGiven.sample;
  const tenantId = words.tenantId ?? sample.tenantId;
  const conversionId = words.conversionId ?? sample.conversionId;
  const amountMinor = words.amountMinor ?? 12_000;
  const netAmountMinor = words.netAmountMinor ?? amountMinor;
  const outcome = words.outcome ?? 'attributed';
  return {
    ...sample,
    tenantId,
    conversionId,
    attributionRevision: words.revision ?? 1,
    verdictSeq: words.seq ?? 1,
    decision: words.decision ?? 'approved',
    attribution: {
      ...sample.attribution,
      tenantId,
      conversionId,
      revision: words.revision ?? 1,
      outcome,
      reason: outcome === 'attributed' ? 'credited' : outcome === 'pending' ? 'awaiting_touch' : 'no_touch',
      conversion: {
        ...sample.attribution.conversion,
        externalId: words.externalId ?? sample.attribution.conversion.externalId,
        type: words.type ?? 'sale',
        occurredAt: words.occurredAt ?? sample.attribution.conversion.occurredAt,
        test: words.test ?? false,
        amountMinor,
        netAmountMinor,
        reversals:
          netAmountMinor < amountMinor
            ? [
                {
                  reversalId: '88888888-8888-8888-8888-888888888888',
                  amountMinor: amountMinor - netAmountMinor,
                  occurredAt: '2026-02-02T09:00:00.000Z',
                },
              ]
            : [],
      },
      credits: outcome === 'attributed' ? [...(words.credits ?? [aCredit()])] : [],
    },
  };
}

export const aCredit = (words: Partial<Credit> = {}): Credit => ({ ...(VerdictGiven.sample.attribution.credits[0] as Credit), ...words });
export const aPlan = (words: Partial<PlanData> = {}): PlanData => ({ ...PlanChanged.sample, ...words });
export const aProgram = (words: Partial<ProgramData> = {}): ProgramData => ({ ...ProgramChanged.sample, ...words });
