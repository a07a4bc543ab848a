import { type ClickIdKeys, type EntityState, peekClickId, verifyClickId } from '@baton/contracts';
import type { PixelSaid } from './domain/pixel';

export interface ProgramTerms {
  readonly state: EntityState;
  readonly hosts: readonly string[];
  readonly allowHttp: boolean;
  readonly landingParam: string;
}
/** The catalog as the pixel needs it. */
export interface TouchCatalog {
  /** False until the catalog was read once. */
  readonly isLoaded: boolean;
  linkByNumber(
    number: number,
    atMs: number,
  ):
    | {
        readonly link: { readonly tenantId: string; readonly id: string; readonly programId: string; readonly partnerId: string };
        readonly terms: ProgramTerms | undefined;
      }
    | undefined;
  program(tenantId: string, programId: string, atMs: number): ProgramTerms | undefined;
  /** `host` in lower case, without port. */
  domain(host: string): { readonly tenantId: string; readonly state: EntityState } | undefined;
}
/** Whose landing page it is. */
export interface Subject {
  readonly tenantId: string;
  readonly programId: string;
  readonly terms: ProgramTerms;
  /** Verified. */
  readonly click: { readonly id: string; readonly linkId: string; readonly partnerId: string } | null;
}
export type Unsure = 'unidentified' | 'click_forged' | 'program_unknown' | 'program_paused';
export interface Known {
  readonly catalog: TouchCatalog;
  readonly clickIdKeys: ClickIdKeys;
}

/** The program that the pixel speaks for: that of the click id, else the one that is named. */
export function subjectOf(said: PixelSaid, known: Known, atMs: number): Subject | Unsure {
  if (said.clickId !== null) return subjectOfClick(said.clickId, known, atMs);
  const subjects = said.clickIdsOfPage.map(({ name, value }) => ({ name, subject: subjectOfClick(value, known, atMs) }));
  const valid = subjects.filter((found): found is { name: string; subject: Subject } => typeof found.subject === 'object');
  const best = valid.find(({ name, subject }) => subject.terms.landingParam === name) ?? valid[0];
  if (best) return best.subject;
  const { tenantId, programId } = said;
  if (tenantId === null || programId === null) return subjects.length > 0 ? 'click_forged' : 'unidentified';
  const terms = known.catalog.program(tenantId, programId, atMs);
  if (!terms || terms.state === 'deleted') return 'program_unknown';
  if (terms.state !== 'active') return 'program_paused';
  return { tenantId, programId, terms, click: null };
}

function subjectOfClick(clickId: string, { catalog, clickIdKeys }: Known, atMs: number): Subject | Unsure {
  const peeked = peekClickId(clickId);
  const found = peeked ? catalog.linkByNumber(peeked.linkNumber, atMs) : undefined;
  if (!found || verifyClickId(clickIdKeys, found.link.tenantId, clickId).kind === 'forged') return 'click_forged';
  const { link, terms } = found;
  if (!terms) return 'program_unknown';
  return { tenantId: link.tenantId, programId: link.programId, terms, click: { id: clickId, linkId: link.id, partnerId: link.partnerId } };
}
