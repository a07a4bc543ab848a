import { emit, LinkChanged, type LinkData, type Outgoing, PartnerChanged, type PartnerData, type ProgramData } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { bulkLinks } from './bulk.store';
import type { CatalogTx, Change } from './catalog.store';
import { defaultDestination } from './domain/destination';
import type { Agreed } from './domain/link';
import { firstVersion } from './domain/stamp';
import { malformed, stampOf } from './edge';
import { agreedOf, type LinkMint, randomSlug, takingLinks } from './link-mint';
import { links } from './link.store';
import { partners } from './partner.store';

/** A customer who shall be able to refer others to a program. */
export interface Wish {
  readonly customerId: string;
  readonly programId: string;
  readonly name?: string | undefined;
  /** Absent: the root of the program's first host. */
  readonly destination?: string | undefined;
}

export type Enrolment =
  | { readonly kind: 'made' | 'known'; readonly partner: PartnerData; readonly link: LinkData }
  | { readonly kind: 'refused'; readonly problem: Problem };

interface Agreement {
  readonly wish: Wish;
  readonly agreed: Agreed;
}

/**
 * One partner for each customer and one share link for each customer and program, however often and by whomever it is asked for: all of it under
 * the catalog's clock, in a fixed number of statements. No wish may come twice. Gives what became of each, in their order.
 */
export async function enrol(
  tx: CatalogTx,
  change: Change,
  mint: LinkMint,
  wishes: readonly Wish[],
): Promise<{ readonly enrolments: Enrolment[]; readonly events: Outgoing[] }> {
  const known = await knownOf(tx, change.tenantId, wishes);
  const judged = wishes.map((wish): Enrolment | Agreement => judge(wish, known, change.at));
  const people = new Map(known.partners);
  const events: Outgoing[] = [];
  const [newPartners, newLinks]: [PartnerData[], LinkData[]] = [[], []];
  const numbers = await bulkLinks.nextNumbers(tx, judged.filter((one) => 'wish' in one).length);
  const enrolments = judged.map((one): Enrolment => {
    if (!('wish' in one)) return one;
    const { customerId, programId, name } = one.wish;
    const before = people.get(customerId);
    const partner = before ?? newReferrer(change, customerId, name);
    if (!before) newPartners.push(partner);
    people.set(customerId, partner);
    const link = {
      ...firstVersion(stampOf(change, randomUUID())),
      ...one.agreed,
      programId,
      partnerId: partner.id,
      subIds: {},
      slug: randomSlug(),
      number: numbers[newLinks.length] as number,
    };
    newLinks.push(link);
    events.push(...(before ? [] : [emit(PartnerChanged, partner)]), emit(LinkChanged, link));
    return { kind: 'made', partner, link };
  });
  await partners.addMany(tx, newPartners);
  await mint.addReferrals(tx, newLinks);
  return { enrolments, events };
}

interface Known {
  /** By customer id. */
  readonly partners: ReadonlyMap<string, PartnerData>;
  /** By program and partner. */
  readonly links: ReadonlyMap<string, LinkData>;
  readonly programs: ReadonlyMap<string, ProgramData[]>;
}

const placeOf = (programId: string, partnerId: string): string => `${programId} ${partnerId}`;

async function knownOf(tx: CatalogTx, tenantId: string, wishes: readonly Wish[]): Promise<Known> {
  const people = await partners.ofCustomers(tx, tenantId, [...new Set(wishes.map(({ customerId }) => customerId))]);
  const shared = await links.referrals(
    tx,
    tenantId,
    people.map(({ id }) => id),
  );
  return {
    partners: new Map(people.map((partner) => [partner.customerId as string, partner])),
    links: new Map(shared.map((link) => [placeOf(link.programId, link.partnerId), link])),
    programs: await bulkLinks.programs(tx, tenantId, [...new Set(wishes.map(({ programId }) => programId))]),
  };
}

function judge(wish: Wish, known: Known, at: string): Enrolment | Agreement {
  const partner = known.partners.get(wish.customerId);
  const link = partner && known.links.get(placeOf(wish.programId, partner.id));
  if (partner && link) return { kind: 'known', partner, link };
  try {
    if (partner?.state === 'deleted') throw new Problem('deleted', 'This customer was deleted as a referrer, and that is final.');
    const versions = takingLinks(known.programs.get(wish.programId));
    const destination = wish.destination ?? defaultDestination(versions, at);
    if (!destination) throw malformed([{ field: 'destination', problem: 'is needed here: every host of the program is a pattern' }]);
    // A customer's key tells nothing of them, so nothing is judged by it.
    return { wish, agreed: agreedOf({ destination }, versions, { at, partner: { key: partner?.key ?? 'c-new' } }) };
  } catch (error) {
    if (error instanceof Problem) return { kind: 'refused', problem: error };
    throw error;
  }
}

/** The key stands in links and reports: it tells nothing of the customer. */
const newReferrer = (change: Change, customerId: string, name = 'Customer'): PartnerData => ({
  ...firstVersion(stampOf(change, randomUUID())),
  kind: 'customer',
  name,
  key: `c-${randomSlug()}${randomSlug()}`,
  customerId,
  referredBy: null,
  referralDepth: 0,
});
