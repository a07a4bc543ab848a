import type { LinkData, ProgramData } from '@baton/contracts';
import { entitiesById, linksByNumber, programsOf, type Tx } from '@baton/platform';
import type { DeepLinkFound, Match } from './domain';

export interface NewDeepLinkClaim {
  readonly tenantId: string;
  readonly clickId: string;
  readonly deviceHash: string;
  readonly match: Match;
  readonly linkNumber: number;
  /** Null: the link is not known yet. */
  readonly answer: DeepLinkFound | null;
  readonly claimedAtMs: number;
}
export type DeepLinkClaim = Pick<NewDeepLinkClaim, 'deviceHash' | 'match' | 'answer'>;

/** What the catalog tells of a click's link; empty where it has told nothing yet. */
export interface KnownLink {
  readonly link?: LinkData;
  readonly partnerKey?: string;
}

/** Clicks that apps have claimed, and what they are told. Every call belongs to a transaction of the one tenant. */
export interface DeepLinkStore {
  programs(tx: Tx, tenantId: string): Promise<ProgramData[]>;
  linkOf(tx: Tx, tenantId: string, linkNumber: number): Promise<KnownLink>;
  /** False where the click was claimed before; waits for who claims it at the same time. */
  insert(tx: Tx, claim: NewDeepLinkClaim): Promise<boolean>;
  ofClick(tx: Tx, tenantId: string, clickId: string): Promise<DeepLinkClaim | null>;
}

export const deepLinkStore: DeepLinkStore = {
  programs: programsOf,

  async linkOf(tx, tenantId, number) {
    const [link] = await linksByNumber(tx, [{ tenantId, number }]);
    if (!link) return {};
    const [partner] = await entitiesById(tx, 'partner', [{ tenantId, id: link.partnerId }]);
    return { link, ...(partner ? { partnerKey: partner.key } : {}) };
  },

  async insert(tx, { tenantId, clickId, deviceHash, match, linkNumber, answer, claimedAtMs }) {
    const count = await tx.$executeRawUnsafe(
      `INSERT INTO deep_link_claims (tenant_id, click_id, device_hash, match, link_number, answer, claimed_at)
       VALUES ($1::uuid, $2, $3, $4, $5, $6::text::json, to_timestamp($7::double precision / 1000)) ON CONFLICT (tenant_id, click_id) DO NOTHING`,
      tenantId,
      clickId,
      deviceHash,
      match,
      linkNumber,
      answer === null ? null : JSON.stringify(answer),
      claimedAtMs,
    );
    return count === 1;
  },

  async ofClick(tx, tenantId, clickId) {
    const [row] = await tx.$queryRawUnsafe<{ device_hash: string; match: Match; answer: string | null }[]>(
      `SELECT device_hash, match, answer::text AS answer FROM deep_link_claims WHERE tenant_id = $1::uuid AND click_id = $2`,
      tenantId,
      clickId,
    );
    if (!row) return null;
    return {
      deviceHash: row.device_hash,
      match: row.match,
      answer: row.answer === null ? null : (JSON.parse(row.answer) as DeepLinkFound),
    };
  },
};
