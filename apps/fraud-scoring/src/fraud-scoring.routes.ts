import {
  AttributionRevised,
  type AttributionRevisedData,
  ClickRecorded,
  type ClickRecordedData,
  emit,
  InvalidEvent,
  type Outgoing,
  peekClickId,
  VerdictGiven,
} from '@baton/contracts';
import { counter, on, type Route, type Tx } from '@baton/platform';
import { type ClickStore, creditedClick } from './click.store';
import { laterCounts, sameCounts } from './domain/facts';
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
      const fresh = await clicks.insert(
        tx,
        events.map((event) => timed(event.data)),
      );
      return judgeAll(scoring, tx, await judgements.touchedBy(tx, fresh));
    }),
    on(AttributionRevised, async (events, tx) => {
      const newest = newestOfEach(events.map((event) => event.data));
      await clicks.hold(tx, newest.map(creditedClick));
      return judgeAll(scoring, tx, await judgements.record(tx, newest));
    }),
  ];
}

async function judgeAll({ clicks, judgements, now }: Scoring, tx: Tx, judged: readonly Judged[]): Promise<Outgoing[]> {
  const counted = await clicks.counts(
    tx,
    judged.map(({ attribution }) => creditedClick(attribution)),
  );
  const again = judged.map((before, i) => {
    const counts = laterCounts(before.counts, counted[i] ?? before.counts);
    const judgement = judge({ attribution: before.attribution, credit: before.attribution.credits[0], counts });
    const isSame = before.judgement !== null && sameJudgement(before.judgement, judgement);
    return { ...before, counts, judgement, isSame, verdictSeq: before.verdictSeq + (isSame ? 0 : 1) };
  });
  // The counts are kept also where they change nothing yet: they outlive the clicks.
  await judgements.save(
    tx,
    again.filter(({ isSame, counts }, i) => !isSame || !sameCounts(counts, judged[i]?.counts)),
  );
  const changed = again.filter(({ isSame }) => !isSame);
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

/** The time inside the id is what partitions and counts clicks: one that says two times would be two clicks. */
function timed(click: ClickRecordedData): ClickRecordedData {
  const insideMs = peekClickId(click.clickId)?.occurredAtMs;
  if (insideMs !== Date.parse(click.occurredAt))
    throw new InvalidEvent('schema', `click ${click.clickId}: occurredAt is ${click.occurredAt}, and not the time in its id`);
  return click;
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
