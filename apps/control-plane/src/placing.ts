import { emit, type Outgoing, PartnerChanged, type PartnerData } from '@baton/contracts';
import type { CatalogTx, Change } from './catalog.store';
import { depthOf, type Person, placeOf } from './domain/referral';
import { nextVersion } from './domain/stamp';
import { stampOf } from './edge';
import { partners } from './partner.store';
import { referrals } from './referral.store';

/**
 * Says of customers by whose link they came, and how deep in a chain they stand: by the attribution of the first conversion that enrolled them.
 * Whoever stands below a customer that moved moves along. Under the catalog's clock, so that no two can refer each other.
 */
export async function place(tx: CatalogTx, change: Change, customerIds: readonly string[]): Promise<Outgoing[]> {
  const { tenantId } = change;
  const broughtBy = await referrals.broughtBy(tx, tenantId, customerIds);
  const customers = (await partners.ofCustomers(tx, tenantId, customerIds)).filter(({ state }) => state !== 'deleted');
  const referrers = [...new Set([...broughtBy.values()].flatMap((id) => id ?? []))];
  const everybody = new Map([...customers, ...(await partners.withThoseAbove(tx, tenantId, referrers))].map((one) => [one.id, one]));
  const people = new Map([...everybody.values()].map((one) => [one.id, personOf(one)]));
  const moved = new Set<string>();
  for (const { id, customerId } of customers) {
    const before = people.get(id) as Person;
    const after = { ...before, ...placeOf(id, broughtBy.get(customerId as string) ?? null, people) };
    if (after.referredBy === before.referredBy && after.depth === before.depth) continue;
    people.set(id, after);
    moved.add(id);
  }
  if (moved.size === 0) return [];
  for (const below of await partners.thoseBelow(tx, tenantId, [...moved])) {
    if (!everybody.has(below.id)) people.set(below.id, personOf(below));
    everybody.set(below.id, below);
  }
  return publish(tx, change, everybody, people);
}

/** Everybody whose place is not what it was, in a new version. */
async function publish(
  tx: CatalogTx,
  change: Change,
  everybody: ReadonlyMap<string, PartnerData>,
  people: ReadonlyMap<string, Person>,
): Promise<Outgoing[]> {
  const changed = [...everybody.values()]
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .flatMap((before) => {
      const { referredBy, ...person } = people.get(before.id) as Person;
      const referralDepth = before.kind === 'customer' ? depthOf({ referredBy, ...person }, people) : 0;
      if (referredBy === (before.referredBy ?? null) && referralDepth === (before.referralDepth ?? 0)) return [];
      return [nextVersion(before, stampOf(change, before.id), { referredBy, referralDepth })];
    });
  await partners.placeMany(tx, changed);
  return changed.map((partner) => emit(PartnerChanged, partner));
}

const personOf = ({ id, kind, referredBy, referralDepth }: PartnerData): Person => ({
  id,
  kind,
  referredBy: referredBy ?? null,
  depth: referralDepth ?? 0,
});
