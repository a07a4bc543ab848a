import { linksByNumber, programStates, type Tx } from '@baton/platform';
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
    const [programs, links] = await Promise.all([
      programStates(tx, tenantId),
      linksByNumber(
        tx,
        numbers.map((number) => ({ tenantId, number })),
      ),
    ]);
    return {
      programs,
      links: links.map(({ number, id, partnerId, programId }) => ({ number, id, partnerId, programId })),
    };
  },
};
