import {
  AttributionRevised,
  type AttributionRevisedData,
  ConversionReceived,
  type ConversionReceivedData,
  type Outgoing,
} from '@baton/contracts';
import { counter, type Log, on, type Route, type Tx } from '@baton/platform';
import { type CatalogTx, holdClock } from './catalog.store';
import { enrol, type Wish } from './enrolment';
import type { LinkMint } from './link-mint';
import { place } from './placing';
import { type ConversionKey, type Enrolling, referrals } from './referral.store';

export interface EnrolmentSettings {
  readonly mint: LinkMint;
  readonly now: () => Date;
  readonly log: Log;
}

const enrolments = counter('baton_enrolments_total', 'Customers who converted in a program that enrols, by what became of it', ['outcome']);

/**
 * Whoever converts in a program that enrols becomes a referrer with a share link; by the conversion's attribution it is known who brought them.
 * Insert, lock, then read: the facts are in first, then the catalog's clock is held, then what is known is read.
 */
export function enrolmentRoutes(settings: EnrolmentSettings): Route[] {
  return [
    on(ConversionReceived, async (events, tx) => {
      const told = events.flatMap(({ data }) => (data.test || !data.customerId ? [] : [data]));
      const conversions = await ofEnrolling(tx, told);
      return enrolWith(settings, tx, await referrals.addConversions(tx, conversions));
    }),
    on(AttributionRevised, async (events, tx) => {
      const newest = new Map<string, AttributionRevisedData>();
      for (const { data } of events)
        if (!data.conversion.test && (newest.get(data.conversionId)?.revision ?? 0) < data.revision) newest.set(data.conversionId, data);
      const attributions = await ofEnrolling(tx, [...newest.values()]);
      return enrolWith(settings, tx, await referrals.addAttributions(tx, attributions));
    }),
  ];
}

/** What cannot enrol anybody is not kept. A fact that does not say its program waits for the other of the two. */
async function ofEnrolling<T extends Pick<ConversionReceivedData, 'tenantId' | 'programId'>>(tx: Tx, facts: readonly T[]): Promise<T[]> {
  if (facts.length === 0) return [];
  const programs = await referrals.programsThatEnrol(tx, [...new Set(facts.map(({ tenantId }) => tenantId))]);
  return facts.filter(({ tenantId, programId }) => {
    const own = programs.get(tenantId);
    return own !== undefined && (!programId || own.has(programId));
  });
}

async function enrolWith({ mint, now, log }: EnrolmentSettings, tx: Tx, told: readonly ConversionKey[]): Promise<Outgoing[]> {
  // Most conversions are of customers who have their link: they need no clock.
  const due = (await referrals.enrolling(tx, told)).filter(({ isEnrolled, isFirst }) => !isEnrolled || isFirst);
  if (due.length === 0) return [];
  // The worker's client is that of the catalog's models.
  const catalog = tx as CatalogTx;
  const clock = await holdClock(catalog, now().toISOString());
  const events: Outgoing[] = [];
  for (const [tenantId, own] of byTenant(due)) {
    const change = clock.changeOf(tenantId);
    const wishes = wishesOf(own);
    const done = await enrol(catalog, change, mint, wishes);
    events.push(...done.events);
    done.enrolments.forEach((one, i) => {
      enrolments.inc({ outcome: one.kind });
      // The conversion is none the worse for it; the next one of this customer tries again.
      if (one.kind === 'refused')
        log.warn(
          { tenantId, programId: wishes[i]?.programId, code: one.problem.code, why: one.problem.detail },
          'a customer was not enrolled',
        );
    });
    const firsts = own.filter(({ isFirst }) => isFirst).map(({ customerId }) => customerId);
    if (firsts.length > 0) events.push(...(await place(catalog, change, [...new Set(firsts)].sort())));
  }
  await clock.keep();
  return events;
}

function byTenant(due: readonly Enrolling[]): [string, Enrolling[]][] {
  const tenants = new Map<string, Enrolling[]>();
  for (const one of due) tenants.set(one.tenantId, [...(tenants.get(one.tenantId) ?? []), one]);
  return [...tenants].sort(([a], [b]) => (a < b ? -1 : 1));
}

const wishesOf = (due: readonly Enrolling[]): Wish[] => [
  ...new Map(due.map(({ customerId, programId }) => [JSON.stringify([customerId, programId]), { customerId, programId }])).values(),
];
