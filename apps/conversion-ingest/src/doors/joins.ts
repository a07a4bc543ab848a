import type { ConversionReceivedData, ReversalReceivedData } from '@baton/contracts';
import type { Caller, Database } from '@baton/platform';
import type { Posted } from '../posted';
import type { Alias, AliasStore } from './alias.store';
import type { Joins } from './door';

/**
 * What follows from a request for conversions that it named otherwise, or did not name at all. It runs after the request's own facts were
 * committed and commits the names before it reads: of a name and a refund by that name, told at once to two replicas, at least one sees the
 * other; where both do, the fact's natural key makes them one. A request that comes again follows again, so an end in between loses nothing.
 */
export class DoorJoins {
  constructor(private readonly parts: { readonly database: Database; readonly aliases: AliasStore }) {}

  async follow({ tenantId }: Caller, door: string, posted: readonly Posted[], { aliases, again }: Joins): Promise<Posted[]> {
    const reversed = posted.flatMap(({ kind, body }) => (kind === 'reversal' ? [externalIdOf(body)] : []));
    const names = [...new Set([...reversed, ...aliases.map(({ alias }) => alias), ...again.map(({ of }) => of)])];
    if (names.length === 0) return [];
    const { database, aliases: store } = this.parts;
    if (aliases.length > 0) await database.transaction([tenantId], (tx) => store.insert(tx, tenantId, door, aliases));
    return database.transaction([tenantId], async (tx) => {
      const known = await store.aliasesOf(tx, door, names);
      const reversals = await store.reversalsOf(
        tx,
        door,
        known.map(({ alias }) => alias),
      );
      const wanted = again.flatMap(({ of }) => namesOf(of, known));
      const conversions = await store.conversionsOf(tx, [...new Set(wanted)]);
      return [...readdressed(reversals, known), ...earnedAgain(again, known, conversions)];
    });
  }
}

const externalIdOf = (body: unknown): string => (body as { readonly external_id: string }).external_id;

/** By its own id, or by the other name. */
const namesOf = (name: string, known: readonly Alias[]): string[] => [
  name,
  ...known.flatMap(({ alias, externalId }) => (alias === name ? [externalId] : [])),
];

/** What took back another name takes back the conversion. */
const readdressed = (reversals: readonly ReversalReceivedData[], known: readonly Alias[]): Posted[] =>
  reversals.flatMap((data) =>
    known
      .filter(({ alias }) => alias === data.externalId)
      .map(({ externalId }) => ({
        kind: 'reversal',
        body: {
          external_id: externalId,
          reversal_id: data.externalReversalId,
          amount_minor: data.amountMinor,
          currency: data.currency,
          reason: data.reason,
          occurred_at: data.occurredAt,
        },
      })),
  );

/** At the time of the first conversion, so that it falls to the same partner under the same terms. Unknown ones earned nothing either. */
const earnedAgain = (again: Joins['again'], known: readonly Alias[], conversions: readonly ConversionReceivedData[]): Posted[] =>
  again.flatMap(({ of, externalId, event, amountMinor, currency }) => {
    const first = conversions.find((conversion) => namesOf(of, known).includes(conversion.externalId));
    if (!first) return [];
    return [
      {
        kind: 'conversion',
        body: {
          external_id: externalId,
          order_id: first.externalId,
          event,
          type: first.type,
          program_id: first.programId,
          amount_minor: Math.min(amountMinor, first.amountMinor),
          currency,
          click_id: first.clickId,
          customer_id: first.customerId,
          visitor_id: first.visitorId,
          coupon_code: first.couponCode,
          referral_code: first.referralCode,
          sub_ids: first.subIds,
          metadata: first.metadata,
          occurred_at: first.occurredAt,
        },
      },
    ];
  });
