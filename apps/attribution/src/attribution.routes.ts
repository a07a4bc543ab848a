import {
  ClickRecorded,
  type ClickRecordedData,
  type ClickIdKeys,
  ConversionReceived,
  type ConversionReceivedData,
  ConversionVerified,
  type Entity,
  IdentityLinked,
  InvalidEvent,
  type LinkData,
  type ProgramData,
  type Received,
  ReversalReceived,
  type TenantData,
} from '@baton/contracts';
import { catalogRoutes, counter, on, onBoth, type Route } from '@baton/platform';
import type { ClickKey, RecordedClick } from './click.store';
import { believedClickId, dayOf, namingOf, namingOfIdentity } from './domain/naming';
import { type Revise, type Stores } from './revise';

export interface RouteSettings {
  readonly stores: Stores;
  readonly revise: Revise;
  readonly keys: ClickIdKeys;
}

/** Facts in, revisions out. A repeat of a fact changes nothing: its effect was committed with it. */
export function attributionRoutes({ stores, revise, keys }: RouteSettings): Route[] {
  return [
    on(ClickRecorded, async (events, tx) => {
      const clicks = distinct(
        events.map((event) => checked(keys, event.data)),
        (click) => `${click.tenantId} ${click.clickId}`,
      );
      const { fresh, awaited } = await stores.clicks.add(tx, clicks);
      const isFresh = keysOf(fresh);
      const isAwaited = keysOf(awaited);
      const records = clicks.filter((click) => isAwaited.has(keyOf(click)));
      // A click that nobody has named, of a visitor that nobody knows, says nothing about a person yet.
      const telling = clicks.filter((click) => isAwaited.has(keyOf(click)) || (click.visitorId && isFresh.has(keyOf(click))));
      return revise(tx, {
        namings: telling.map((click) => namingOf(click.tenantId, { clickId: click.clickId, visitorId: click.visitorId })),
        records,
        stored: [...fresh, ...awaited],
      });
    }),
    on(IdentityLinked, async (events, tx) => {
      const identities = distinctFacts(events).map(({ data }) => ({
        ...data,
        naming: namingOfIdentity(keys, data.tenantId, data.identifiers),
      }));
      const added = await stores.facts.addIdentities(
        tx,
        identities.map((i) => ({ ...i, named: i.naming.identifiers })),
      );
      return revise(tx, {
        namings: identities
          .filter((i) => added.has(`${i.tenantId} ${i.identityId}`) && i.naming.identifiers.length > 1)
          .map((i) => i.naming),
      });
    }),
    // At once: a conversion and a verification of other persons in one batch would lock these in two goes.
    onBoth(ConversionReceived, ConversionVerified, async (received, verified, tx) => {
      const conversions = distinctFacts(received).map(({ data }) => believed(keys, data));
      const verifications = distinctFacts(verified).map(({ data }) => data);
      const added = await stores.facts.addConversions(tx, conversions);
      const vouched = await stores.facts.addVerifications(tx, verifications);
      return revise(tx, {
        namings: [
          ...conversions.filter((c) => added.has(`${c.tenantId} ${c.conversionId}`)).map((c) => namingOf(c.tenantId, c)),
          ...verifications
            .filter((v) => vouched.has(`${v.tenantId} ${v.verificationId}`))
            .map((v) => namingOf(v.tenantId, { externalId: v.externalId })),
        ],
      });
    }),
    on(ReversalReceived, async (events, tx) => {
      const reversals = distinctFacts(events).map(({ data }) => data);
      const added = await stores.facts.addReversals(tx, reversals);
      const fresh = reversals.filter((r) => added.has(`${r.tenantId} ${r.reversalId}`));
      return revise(tx, { namings: fresh.map((r) => namingOf(r.tenantId, { externalId: r.externalId })) });
    }),
    ...catalogRoutes(['program', 'link'], async (type, entities: readonly Entity[], tx) => {
      const links = type === 'link' ? (entities as LinkData[]).map(({ tenantId, number }) => ({ tenantId, number })) : [];
      const programs =
        type === 'program' ? (entities as ProgramData[]).map(({ tenantId, id, validFrom }) => ({ tenantId, id, validFrom })) : [];
      // A new program can open very many conversions: they are decided by the sweep, in bounded batches, not here.
      await stores.rechecks.catalogMoved(tx, links, programs);
      return [];
    }),
  ];
}

/** A click must be what its signed id says. */
function checked(keys: ClickIdKeys, click: ClickRecordedData): RecordedClick {
  const id = believedClickId(keys, click.tenantId, click.clickId);
  if (!id)
    throw new InvalidEvent('wrong_tenant', `click ${click.clickId} was not signed for tenant ${click.tenantId} by a key of CLICK_ID_KEYS`);
  if (id.linkNumber !== click.linkNumber || new Date(id.occurredAtMs).toISOString() !== click.occurredAt)
    throw new InvalidEvent('schema', `click ${click.clickId} says another link number or time than its id`);
  return { ...click, day: dayOf(id) };
}

const forged = counter('baton_attribution_forged_clicks_total', 'Conversions whose click id was not believed here');

/** A forged click id is no evidence; the conversion stays, with what else it names. */
function believed(keys: ClickIdKeys, conversion: ConversionReceivedData): ConversionReceivedData {
  if (!conversion.clickId || believedClickId(keys, conversion.tenantId, conversion.clickId)) return conversion;
  forged.inc();
  return { ...conversion, clickId: null, droppedEvidence: [...new Set(['click_forged', ...conversion.droppedEvidence])].slice(0, 8) };
}

const keyOf = ({ tenantId, clickId }: { readonly tenantId: string; readonly clickId: string }): string => `${tenantId} ${clickId}`;
const keysOf = (clicks: readonly ClickKey[]): Set<string> => new Set(clicks.map(keyOf));
/** The first of each: a batch may bring a fact twice. */
const distinct = <T>(values: readonly T[], key: (value: T) => string): T[] =>
  [...new Map([...values].reverse().map((value) => [key(value), value])).values()].reverse();
const distinctFacts = <T extends TenantData>(events: readonly Received<T>[]): Received<T>[] =>
  distinct(events, (event) => `${event.data.tenantId} ${event.id}`);
