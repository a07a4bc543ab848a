import type { LinkData, PartnerData, ProgramData } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomInt } from 'node:crypto';
import { bulkLinks } from './bulk.store';
import type { CatalogTx, Change } from './catalog.store';
import { termsAt } from './domain/destination';
import { type Agreed, checkLink, type LinkProblem, type LinkWords } from './domain/link';
import { shareUrl } from './domain/share-url';
import { firstVersion } from './domain/stamp';
import { stampOf } from './edge';
import { links } from './link.store';
import { partners } from './partner.store';
import { programs } from './program.store';

export interface LinkWish extends Agreed {
  readonly id: string;
  readonly programId: string;
  readonly partnerId: string;
  /** Absent: a random one. */
  readonly slug?: string | undefined;
  readonly subIds: Record<string, string>;
  readonly referral: boolean;
}

const ALPHABET = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const SLUG_LENGTH = 8;
/** 57^8 slugs: a second collision in a row means something else is wrong. */
const ATTEMPTS_MAX = 5;

/** Where links get their number and slug. */
export class LinkMint {
  constructor(private readonly publicUrl: string) {}

  /** Throws the problem `slug_taken`, which does not say by whom. */
  async add(tx: CatalogTx, change: Change, { slug, referral, id, ...wish }: LinkWish): Promise<LinkData> {
    const head = { ...firstVersion(stampOf(change, id)), ...wish, number: await links.nextNumber(tx) };
    for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
      const link = { ...head, slug: slug ?? randomSlug() };
      if (await links.add(tx, link, referral)) return link;
      if (await links.find(tx, change.tenantId, id)) throw new Problem('conflict');
      if (slug) throw new Problem('slug_taken', `The slug "${slug}" is in use. Choose another, or leave it out to get one.`);
    }
    throw new Error(`no free slug in ${ATTEMPTS_MAX} attempts`);
  }

  /** Share links of customers, made with a random slug each; a slug that is in use is drawn again. */
  async addReferrals(tx: CatalogTx, made: readonly LinkData[]): Promise<void> {
    let missing = made;
    for (let attempt = 1; missing.length > 0; attempt++) {
      if (attempt > ATTEMPTS_MAX) throw new Error(`no free slugs in ${ATTEMPTS_MAX} attempts`);
      const added = await bulkLinks.add(tx, missing, true);
      missing = missing.filter((link) => !added.has(link.id));
      for (const link of missing) link.slug = randomSlug();
    }
  }

  /** On one of the tenant's own domains, if it is named. */
  shareUrl(slug: string, host?: string): string {
    return shareUrl(host === undefined ? this.publicUrl : `https://${host}`, slug);
  }

  /** In lower case, without a port. */
  get platformHost(): string {
    return new URL(this.publicUrl).hostname;
  }
}

export const randomSlug = (): string => Array.from({ length: SLUG_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('');

/** Every version of a program that takes new links. Another tenant's reads as one that does not exist. */
export const programOf = async (tx: CatalogTx, { tenantId }: Change, id: string): Promise<ProgramData[]> =>
  takingLinks(await programs.versions(tx, tenantId, id));

export const partnerOf = async (tx: CatalogTx, { tenantId }: Change, id: string): Promise<PartnerData> =>
  takingPartner(await partners.find(tx, tenantId, id));

/** Versions of one program, oldest first. Throws the problem if there may be no new links of it. */
export function takingLinks(versions: readonly ProgramData[] | undefined): ProgramData[] {
  const newest = versions?.at(-1);
  if (!versions || !newest) throw new Problem('program_unknown', 'program_id names no program of this tenant.');
  if (newest.state === 'deleted') throw new Problem('program_unknown', 'This program was deleted: it takes no new links.');
  return [...versions];
}

/** Throws the problem if there may be no new links for this partner. */
export function takingPartner(partner: PartnerData | null | undefined): PartnerData {
  if (!partner) throw new Problem('partner_unknown', 'partner_id names no partner of this tenant.');
  if (partner.state === 'deleted') throw new Problem('partner_unknown', 'This partner was deleted: there are no new links for them.');
  return partner;
}

/** What a link's maker named, in the form to store. Versions of its program. Throws a problem that names every reason. */
export function agreedOf(words: LinkWords, versions: readonly ProgramData[], of: Judging): Agreed {
  const terms = termsAt(versions, of.at);
  if (!terms) throw new Problem('program_unknown', 'program_id names no program of this tenant.');
  const check = checkLink(words, { terms, partnerKey: of.partner.key, before: of.before ?? null });
  if (check.kind === 'ok') return check.agreed;
  throw refusedLink(check.problems);
}

interface Judging {
  /** RFC 3339, UTC, milliseconds. */
  readonly at: string;
  readonly partner: Pick<PartnerData, 'key'>;
  /** Absent: the link is being made. */
  readonly before?: Agreed;
}

export function refusedLink(problems: readonly LinkProblem[]): Problem {
  // What is nearest to the visitor's safety gives the answer its code.
  const code =
    (['destination_refused', 'utm_refused', 'malformed'] as const).find((c) => problems.some((p) => p.code === c)) ?? 'malformed';
  const errors = problems.map(({ code: _code, ...problem }) => problem);
  const told = errors.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return new Problem(code, code === 'destination_refused' ? `The destination is refused: ${told}` : told, { errors });
}
