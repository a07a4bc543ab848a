import { linksByNumber, programsOf, type Tx } from '@baton/platform';
import type { KnownLink, KnownProgram, TouchClaim } from './domain';

/** What the catalog knows that bears on touches. Every call belongs to a transaction of the one tenant. */
export interface TouchStore {
  known(
    tx: Tx,
    tenantId: string,
    claims: readonly TouchClaim[],
  ): Promise<{ readonly programs: KnownProgram[]; readonly links: KnownLink[] }>;
}

export const touchStore: TouchStore = {
  async known(tx, tenantId, claims) {
    const numbers = [...new Set(claims.flatMap(({ linkNumber }) => (linkNumber === null ? [] : [linkNumber])))].sort((a, b) => a - b);
    const programs = await programsOf(tx, tenantId);
    const links = await linksByNumber(
      tx,
      numbers.map((number) => ({ tenantId, number })),
    );
    return {
      programs: programs.map(({ id, state, longestWindowMs }) => ({ id, state, windowMs: longestWindowMs })),
      links: links.map(({ number, id, partnerId, programId }) => ({ number, id, partnerId, programId })),
    };
  },
};
