import { fingerprintOf } from './fingerprint';

/** What of a link its maker chose, as it is stored: two links with the same content lead the same visitors to the same place. */
export interface LinkContent {
  readonly programId: string;
  readonly partnerId: string;
  readonly destination: string;
  readonly subIds: Readonly<Record<string, string>>;
}

/** A row that is good in itself. */
export interface Candidate<C extends LinkContent = LinkContent> {
  readonly row: number;
  /** Null: one may be made up, so the row cannot be recognised by it. */
  readonly id: string | null;
  /** Null: one is drawn. */
  readonly slug: string | null;
  /** Of the body, where the caller named the id: as a single creation keeps it. */
  readonly fingerprint: string | null;
  readonly content: C;
}

export interface KnownLink {
  readonly id: string;
  readonly slug: string;
  readonly number: number;
  readonly catalogVersion: number;
  readonly content: LinkContent;
}

/** What the tenant has of the ids and slugs that the candidates name. */
export interface Known {
  /** Fingerprints of creations, by id. */
  readonly fingerprints: ReadonlyMap<string, string>;
  readonly byId: ReadonlyMap<string, KnownLink>;
  readonly bySlug: ReadonlyMap<string, KnownLink>;
}

export type Judgement<C extends LinkContent = LinkContent> =
  | { readonly kind: 'create'; readonly candidate: Candidate<C> }
  | { readonly kind: 'exists'; readonly row: number; readonly link: KnownLink }
  /** The same as an earlier row of this batch: it shares that row's fate. */
  | { readonly kind: 'repeats'; readonly row: number; readonly of: number }
  | { readonly kind: 'rejected'; readonly row: number; readonly code: 'conflict' | 'slug_taken'; readonly problem: string };

/** In the order of the rows, so that of two that contradict each other the first one holds. */
export function judge<C extends LinkContent>(candidates: readonly Candidate<C>[], known: Known): Judgement<C>[] {
  const ids = new Map<string, Candidate<C>>();
  const slugs = new Map<string, Candidate<C>>();
  return candidates.map((candidate) => {
    const judgement = judgeOne(candidate, known, ids, slugs);
    if (judgement.kind === 'create') {
      if (candidate.id !== null) ids.set(candidate.id, candidate);
      if (candidate.slug !== null) slugs.set(candidate.slug, candidate);
    }
    return judgement;
  });
}

function judgeOne<C extends LinkContent>(
  candidate: Candidate<C>,
  known: Known,
  ids: ReadonlyMap<string, Candidate<C>>,
  slugs: ReadonlyMap<string, Candidate<C>>,
): Judgement<C> {
  const { row, id, slug } = candidate;
  const link = id === null ? undefined : known.byId.get(id);
  if (id !== null && link) {
    const before = known.fingerprints.get(id);
    const isSame = before !== undefined && candidate.fingerprint !== null ? before === candidate.fingerprint : isSameLink(candidate, link);
    return isSame ? { kind: 'exists', row, link } : conflict(row, `the id ${id} belongs to a link that was made with another content`);
  }
  const earlier = id === null ? undefined : ids.get(id);
  if (earlier)
    return earlier.slug === slug && sameContent(earlier.content, candidate.content)
      ? { kind: 'repeats', row, of: earlier.row }
      : conflict(row, `row ${earlier.row} has the same id and another content`);
  if (slug === null) return { kind: 'create', candidate };
  const holder = known.bySlug.get(slug);
  if (holder)
    return id === null && sameContent(holder.content, candidate.content)
      ? { kind: 'exists', row, link: holder }
      : taken(row, `your link ${holder.id} has the slug "${slug}"`);
  const sibling = slugs.get(slug);
  if (!sibling) return { kind: 'create', candidate };
  return id === null && sameContent(sibling.content, candidate.content)
    ? { kind: 'repeats', row, of: sibling.row }
    : taken(row, `row ${sibling.row} has the slug "${slug}" already`);
}

const isSameLink = ({ slug, content }: Candidate, link: KnownLink): boolean =>
  (slug === null || slug === link.slug) && sameContent(link.content, content);

const sameContent = (a: LinkContent, b: LinkContent): boolean => fingerprintOf(a) === fingerprintOf(b);

const conflict = (row: number, problem: string): Judgement<never> => ({ kind: 'rejected', row, code: 'conflict', problem });
const taken = (row: number, problem: string): Judgement<never> => ({ kind: 'rejected', row, code: 'slug_taken', problem });
