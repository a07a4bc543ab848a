import { emit, LinkChanged, type LinkData, nameId, type PartnerData, type ProgramData } from '@baton/contracts';
import { type FieldProblem, Problem, type Row } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { bulkLinks } from './bulk.store';
import { type Checked, checkRow, type Rejected } from './bulk-check';
import type { CatalogStore, CatalogTx, Change } from './catalog.store';
import { type Candidate, judge, type Judgement, type Known, type KnownLink, type LinkContent } from './domain/bulk-verdict';
import { fingerprintOf } from './domain/fingerprint';
import { type Agreed, agreedIn } from './domain/link';
import { firstVersion } from './domain/stamp';
import { stampOf } from './edge';
import { linkAnswer, type LinkBody } from './link.controller';
import { agreedOf, type LinkMint, randomSlug, takingLinks, takingPartner } from './link-mint';

export type Verdict = Rejected | Good;
export interface Good {
  readonly row: number;
  readonly status: 'created' | 'exists';
  /** Absent in a dry run, for links that there are not. */
  readonly id?: string;
  readonly slug?: string;
  readonly number?: number;
  readonly share_url?: string;
}

export interface Importing {
  readonly tenantId: string;
  readonly columns: readonly string[] | null;
  /** Names this upload: rows without id and slug get an id from it and their place, so that repeating the upload makes no second link. */
  readonly key: string | null;
  /** Says what would happen, and stores nothing. */
  readonly isDryRun: boolean;
  readonly traceparent: string | undefined;
}

export interface Imported {
  /** One for each row, in order. */
  readonly verdicts: readonly Verdict[];
  /** From this one on every link of the batch is known; 0 if there is none. */
  readonly catalogVersion: number;
}

type Content = LinkContent & Pick<LinkData, 'subIds'> & Agreed;
type Judged = Judgement<Content>;
/** What became of a row, in the words of the store. */
type Outcome = { readonly status: 'created' | 'exists'; readonly link: KnownLink } | Rejected;

const ATTEMPTS_MAX = 5;

/** Links by the thousand: each batch is one transaction under the catalog's clock, short enough for single changes to pass in between. */
export class LinkImport {
  constructor(
    private readonly catalog: CatalogStore,
    private readonly mint: LinkMint,
  ) {}

  /** Throws `InfrastructureError`: then nothing of this batch was stored, or all of it, and repeating tells. */
  async take(rows: readonly Row[], importing: Importing): Promise<Imported> {
    // Before the clock is locked: what a row says of itself needs no store.
    const checked = rows.map((row) => checkRow(row, importing.columns));
    const work = (tx: CatalogTx, change: Change) => this.store(tx, change, checked, importing);
    if (!importing.isDryRun) return this.catalog.change(importing.tenantId, work, importing.traceparent);
    try {
      return await this.catalog.change(importing.tenantId, async (tx, change) => {
        throw new TakenBack((await work(tx, change)).answer);
      });
    } catch (error) {
      if (error instanceof TakenBack) return error.imported;
      throw error;
    }
  }

  private async store(tx: CatalogTx, change: Change, checked: readonly Checked[], importing: Importing) {
    const { candidates, rejected } = await this.candidatesOf(tx, change, checked, importing);
    const judgements = judge(candidates, await knownOf(tx, change.tenantId, candidates));
    const creates = judgements.flatMap((j) => (j.kind === 'create' ? [j.candidate] : []));
    const made = await this.add(tx, change, creates, importing.isDryRun);
    const outcomes = outcomesOf(judgements, made, rejected);
    const verdicts = checked.map(({ row }) => this.verdictOf(row, outcomes.get(row) as Outcome, importing.isDryRun));
    let catalogVersion = 0;
    for (const outcome of outcomes.values()) if ('link' in outcome) catalogVersion = Math.max(catalogVersion, outcome.link.catalogVersion);
    return {
      answer: { verdicts, catalogVersion },
      events: [...made.values()].map((link) => emit(LinkChanged, link)),
    };
  }

  /** Rows that are good in themselves and lead where their programs allow. */
  private async candidatesOf(tx: CatalogTx, change: Change, checked: readonly Checked[], { tenantId, key }: Importing) {
    const good = checked.flatMap((c) => ('body' in c ? [c] : []));
    const programs = await bulkLinks.programs(tx, tenantId, [...new Set(good.map(({ body }) => body.program_id))]);
    const partners = await bulkLinks.partners(tx, tenantId, [...new Set(good.map(({ body }) => body.partner_id))]);
    const candidates: Candidate<Content>[] = [];
    const rejected = new Map<number, Rejected>(checked.flatMap((c) => ('body' in c ? [] : [[c.row, c]])));
    for (const { row, body } of good) {
      try {
        const content = contentOf(body, programs.get(body.program_id), partners.get(body.partner_id), change.at);
        const slug = body.slug ?? null;
        const placed = key !== null && slug === null ? nameId('link import', tenantId, key, row) : null;
        candidates.push({ row, id: body.id ?? placed, slug, fingerprint: body.id ? fingerprintOf(body) : null, content });
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        rejected.set(row, rejectedBy(row, error));
      }
    }
    return { candidates, rejected };
  }

  /** Adds what can be added, by row. What is missing afterwards names a slug that another tenant has. */
  private async add(tx: CatalogTx, change: Change, creates: readonly Candidate<Content>[], isDryRun: boolean) {
    const made = new Map<number, LinkData>();
    if (creates.length === 0) return made;
    // A number that was drawn is gone for good: a dry run takes none.
    const numbers = isDryRun ? creates.map((c) => -c.row) : await bulkLinks.nextNumbers(tx, creates.length);
    const links = creates.map(({ id, slug, content }, i) => ({
      ...firstVersion(stampOf(change, id ?? randomUUID())),
      ...content,
      slug: slug ?? randomSlug(),
      number: numbers[i] as number,
    }));
    let missing = links;
    for (let attempt = 1; missing.length > 0; attempt++) {
      if (attempt > ATTEMPTS_MAX) throw new Error(`no free slugs in ${ATTEMPTS_MAX} attempts`);
      const added = await bulkLinks.add(tx, missing);
      const drawn = new Set(links.filter((_, i) => creates[i]?.slug === null).map((link) => link.id));
      for (const [i, link] of links.entries()) if (added.has(link.id)) made.set(creates[i]?.row as number, link);
      missing = missing.filter((link) => !added.has(link.id) && drawn.has(link.id));
      for (const link of missing) link.slug = randomSlug();
    }
    const inOrder = new Map(creates.flatMap(({ row }) => (made.has(row) ? [[row, made.get(row) as LinkData] as const] : [])));
    if (!isDryRun) await bulkLinks.addCreations(tx, change.tenantId, this.creationsOf(creates, inOrder));
    return inOrder;
  }

  /** For ids that the caller chose: a single creation under such an id must read as its repeat. */
  private creationsOf(creates: readonly Candidate<Content>[], made: ReadonlyMap<number, LinkData>) {
    return creates.flatMap(({ row, fingerprint }) => {
      const link = made.get(row);
      return fingerprint !== null && link ? [{ id: link.id, fingerprint, answer: linkAnswer(link, this.mint) }] : [];
    });
  }

  private verdictOf(row: number, outcome: Outcome, isDryRun: boolean): Verdict {
    if (outcome.status === 'rejected') return { ...outcome, row };
    if (isDryRun && outcome.status === 'created') return { row, status: 'created' };
    const { id, slug, number } = outcome.link;
    return { row, status: outcome.status, id, slug, number, share_url: this.mint.shareUrl(slug) };
  }
}

class TakenBack extends Error {
  constructor(readonly imported: Imported) {
    super('a dry run stores nothing');
  }
}

function contentOf(body: LinkBody, versions: readonly ProgramData[] | undefined, partner: PartnerData | undefined, at: string): Content {
  const taking = takingLinks(versions);
  const agreed = agreedOf(body, taking, { at, partner: takingPartner(partner) });
  return { programId: body.program_id, partnerId: body.partner_id, subIds: body.sub_ids ?? {}, ...agreed };
}

async function knownOf(tx: CatalogTx, tenantId: string, candidates: readonly Candidate[]): Promise<Known> {
  const ids = [...new Set(candidates.flatMap(({ id }) => (id === null ? [] : [id])))];
  const slugs = [...new Set(candidates.flatMap(({ slug }) => (slug === null ? [] : [slug])))];
  const fingerprints = await bulkLinks.fingerprints(tx, tenantId, ids);
  const byId = new Map((await bulkLinks.linksOfIds(tx, tenantId, ids)).map((link) => [link.id, knownLink(link)]));
  const bySlug = new Map((await bulkLinks.linksOfSlugs(tx, tenantId, slugs)).map((link) => [link.slug, knownLink(link)]));
  return { fingerprints, byId, bySlug };
}

const knownLink = (link: LinkData): KnownLink => ({
  id: link.id,
  slug: link.slug,
  number: link.number,
  catalogVersion: link.catalogVersion,
  content: { programId: link.programId, partnerId: link.partnerId, subIds: link.subIds, ...agreedIn(link) },
});

function outcomesOf(judgements: readonly Judged[], made: ReadonlyMap<number, LinkData>, rejected: ReadonlyMap<number, Rejected>) {
  const outcomes = new Map<number, Outcome>(rejected);
  for (const judgement of judgements) {
    const row = judgement.kind === 'create' ? judgement.candidate.row : judgement.row;
    outcomes.set(row, outcomeOf(row, judgement, made, outcomes));
  }
  return outcomes;
}

function outcomeOf(row: number, judgement: Judged, made: ReadonlyMap<number, LinkData>, earlier: ReadonlyMap<number, Outcome>): Outcome {
  if (judgement.kind === 'exists') return { status: 'exists', link: judgement.link };
  if (judgement.kind === 'rejected')
    return { row, status: 'rejected', code: judgement.code, problems: [about(judgement.code, judgement.problem)] };
  if (judgement.kind === 'repeats') {
    const first = earlier.get(judgement.of) as Outcome;
    return first.status === 'rejected' ? first : { status: 'exists', link: first.link };
  }
  const link = made.get(row);
  if (link) return { status: 'created', link: knownLink(link) };
  return {
    row,
    status: 'rejected',
    code: 'slug_taken',
    problems: [about('slug_taken', `the slug "${judgement.candidate.slug}" is in use`)],
  };
}

const about = (code: 'conflict' | 'slug_taken', problem: string): FieldProblem => ({ field: code === 'conflict' ? 'id' : 'slug', problem });

const FIELDS: Partial<Record<string, string>> = { program_unknown: 'program_id', partner_unknown: 'partner_id' };
const rejectedBy = (row: number, { code, detail, more }: Problem): Rejected => ({
  row,
  status: 'rejected',
  code,
  problems: more.errors ?? [{ field: FIELDS[code] ?? '', problem: detail }],
});
