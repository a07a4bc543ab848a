import { type Entity, type PlanData, type ProgramData, VerdictGiven, type VerdictGivenData } from '@baton/contracts';
import { apiKeyRoutes, catalogRoutes, type CatalogType, on, type Route, type Tx } from '@baton/platform';
import { type ProgramKey } from './conversion.store';
import { conversionText, programsOf, settleAll, type Settling } from './settlement';

/** Verdicts become money; terms that arrive late make the conversions they apply to due again. */
export function rewardRoutes(settling: Settling): Route[] {
  return [
    ...catalogRoutes(['program', 'plan', 'partner'], async (type, entities, tx) => {
      await termsArrived(settling, type, entities, tx);
      return [];
    }),
    ...apiKeyRoutes(),
    on(VerdictGiven, async (events, tx) => {
      const newest = newestOfEach(events.map((event) => event.data));
      await settling.conversions.shareGates(tx, programsOf(newest));
      return settleAll(settling, tx, await settling.conversions.record(tx, newest));
    }),
  ];
}

/** One a conversion, the highest (attributionRevision, verdictSeq), in the order of their keys. */
function newestOfEach(verdicts: readonly VerdictGivenData[]): VerdictGivenData[] {
  const newest = new Map<string, VerdictGivenData>();
  for (const verdict of verdicts) {
    const known = newest.get(conversionText(verdict));
    if (
      !known ||
      verdict.attributionRevision > known.attributionRevision ||
      (verdict.attributionRevision === known.attributionRevision && verdict.verdictSeq > known.verdictSeq)
    ) {
      newest.set(conversionText(verdict), verdict);
    }
  }
  return [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, verdict]) => verdict);
}

/**
 * The terms are stored by now. Closing the gates waits for everybody who settled without them; their conversions are found here and
 * settled again by the sweep. Whoever comes later reads the new terms.
 */
async function termsArrived(
  { conversions, revisits, now }: Settling,
  type: CatalogType,
  entities: readonly Entity[],
  tx: Tx,
): Promise<void> {
  if (type !== 'program' && type !== 'plan') return;
  const programs: (ProgramKey & { readonly from: string })[] = (entities as readonly (ProgramData | PlanData)[]).map((terms) => ({
    tenantId: terms.tenantId,
    programId: 'programId' in terms ? terms.programId : terms.id,
    from: terms.validFrom,
  }));
  await conversions.closeGates(tx, programs);
  await revisits.planOfPrograms(tx, programs, now());
}
