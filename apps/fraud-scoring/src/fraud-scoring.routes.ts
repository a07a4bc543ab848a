import { AttributionRevised, type AttributionRevisedData, ClickRecorded, emit, type Outgoing, VerdictGiven } from '@baton/contracts';
import { counter, on, type Route, type Tx } from '@baton/platform';
import { type ClickStore, creditedClick } from './click.store';
import { judge, sameJudgement } from './domain/judge';
import type { Judged, JudgementStore } from './judgement.store';

export interface Scoring {
  readonly clicks: ClickStore;
  readonly judgements: JudgementStore;
  readonly now: () => Date;
}

const verdicts = () => counter('baton_verdicts_total', 'Verdicts given, by decision and strongest rule', ['decision', 'rule']);

/**
 * A click and an attribution of the same address may be handled at once by two replicas: each stores its fact, holds the address, and only
 * then reads what the other may have stored. So a late click changes the verdict, and a redelivered one does not.
 */
export function fraudRoutes(scoring: Scoring): Route[] {
  const { clicks, judgements } = scoring;
  return [
    on(ClickRecorded, async (events, tx) => {
      const data = events.map((event) => event.data);
      await clicks.insert(tx, data);
      return judgeAll(scoring, tx, await judgements.touchedBy(tx, data));
    }),
    on(AttributionRevised, async (events, tx) => {
      const newest = newestOfEach(events.map((event) => event.data));
      await clicks.hold(tx, newest.map(creditedClick));
      return judgeAll(scoring, tx, await judgements.record(tx, newest));
    }),
  ];
}

async function judgeAll({ clicks, judgements, now }: Scoring, tx: Tx, judged: readonly Judged[]): Promise<Outgoing[]> {
  const counts = await clicks.counts(
    tx,
    judged.map(({ attribution }) => creditedClick(attribution)),
  );
  const changed = judged.flatMap((before, i) => {
    const { attribution } = before;
    const judgement = judge({ attribution, credit: attribution.credits[0], counts: counts[i] ?? { sameAddress: 0, sameNetwork: 0 } });
    if (before.judgement && sameJudgement(before.judgement, judgement)) return [];
    return [{ attribution, verdictSeq: before.verdictSeq + 1, judgement }];
  });
  await judgements.save(tx, changed);
  const decidedAt = now().toISOString();
  return changed.map(({ attribution, verdictSeq, judgement }) => {
    verdicts().inc({ decision: judgement.decision, rule: judgement.reasons[0]?.rule ?? 'none' });
    return emit(VerdictGiven, {
      tenantId: attribution.tenantId,
      conversionId: attribution.conversionId,
      attributionRevision: attribution.revision,
      verdictSeq,
      ...judgement,
      attribution,
      decidedAt,
    });
  });
}

/** One a conversion, the highest revision: ON CONFLICT may not meet a row twice. */
function newestOfEach(attributions: readonly AttributionRevisedData[]): AttributionRevisedData[] {
  const newest = new Map<string, AttributionRevisedData>();
  for (const attribution of attributions) {
    const key = `${attribution.tenantId} ${attribution.conversionId}`;
    if ((newest.get(key)?.revision ?? 0) < attribution.revision) newest.set(key, attribution);
  }
  return [...newest.values()];
}
