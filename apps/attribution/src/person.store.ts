import { InfrastructureError, type Tx } from '@baton/platform';

export interface IdentifierKey {
  readonly tenantId: string;
  readonly identifier: string;
}

export interface NewIdentifier extends IdentifierKey {
  readonly root: string;
  readonly day: string | null;
}

/** Who is who: every identifier and the root of its person. What this store locks is what makes one person's decisions follow each other. */
export interface PersonStore {
  /**
   * Makes identifiers known. Gives those that were new: they have the given root, and until the transaction ends nobody else sees them; who makes
   * one of them known as well waits for that end. `day`: of a click, the day in its id.
   */
  introduce(tx: Tx, identifiers: readonly NewIdentifier[]): Promise<IdentifierKey[]>;
  /**
   * Locks the persons of these identifiers until the transaction ends and gives each identifier's root. Whoever reads the persons' facts
   * in a later statement sees all that was committed about them, and nobody can add to them meanwhile.
   */
  lock(tx: Tx, identifiers: readonly IdentifierKey[]): Promise<(IdentifierKey & { readonly root: string })[]>;
  /** Gives all identifiers of one root another. The roots are locked by the caller. */
  move(tx: Tx, moves: readonly { readonly tenantId: string; readonly root: string; readonly newRoot: string }[]): Promise<void>;
}

/** Roots move only when persons merge: whoever finds them moved this often stands in a storm, and comes back later. */
const LOCK_ROUNDS_MAX = 20;

export class PostgresPersonStore implements PersonStore {
  introduce(tx: Tx, identifiers: readonly NewIdentifier[]): Promise<IdentifierKey[]> {
    return tx.$queryRawUnsafe(
      `INSERT INTO identifiers (tenant_id, identifier, root, day)
       SELECT n."tenantId", n.identifier, n.root, n.day FROM jsonb_to_recordset($1::jsonb) AS n("tenantId" uuid, identifier text, root text, day date)
       ORDER BY n."tenantId", n.identifier COLLATE "C"
       ON CONFLICT DO NOTHING RETURNING tenant_id AS "tenantId", identifier`,
      JSON.stringify(identifiers),
    );
  }

  async lock(tx: Tx, identifiers: readonly IdentifierKey[]): Promise<(IdentifierKey & { readonly root: string })[]> {
    if (identifiers.length === 0) return [];
    let found = await this.roots(tx, identifiers);
    for (let round = 0; round < LOCK_ROUNDS_MAX; round++) {
      await tx.$executeRawUnsafe('SAVEPOINT persons');
      const locked = await this.lockRoots(tx, found);
      // A new statement: another transaction may have merged the person while this one waited for it.
      found = await this.roots(tx, identifiers);
      if (found.every(({ tenantId, root }) => locked.has(`${tenantId} ${root}`))) {
        await tx.$executeRawUnsafe('RELEASE SAVEPOINT persons');
        return found;
      }
      // Lets go first: locking the missing ones on top would break the order, and so deadlock.
      await tx.$executeRawUnsafe('ROLLBACK TO SAVEPOINT persons');
    }
    throw new InfrastructureError('postgres', 'contention', new Error(`the persons of ${identifiers.length} identifiers kept merging`));
  }

  async move(tx: Tx, moves: readonly { readonly tenantId: string; readonly root: string; readonly newRoot: string }[]): Promise<void> {
    if (moves.length === 0) return;
    await tx.$executeRawUnsafe(
      `UPDATE identifiers i SET root = m."newRoot" FROM jsonb_to_recordset($1::jsonb) AS m("tenantId" uuid, root text, "newRoot" text)
       WHERE i.tenant_id = m."tenantId" AND i.root = m.root`,
      JSON.stringify(moves),
    );
  }

  private roots(tx: Tx, identifiers: readonly IdentifierKey[]): Promise<(IdentifierKey & { readonly root: string })[]> {
    return tx.$queryRawUnsafe(
      `SELECT i.tenant_id AS "tenantId", i.identifier, i.root FROM jsonb_to_recordset($1::jsonb) AS n("tenantId" uuid, identifier text)
       CROSS JOIN LATERAL (SELECT * FROM identifiers i WHERE i.tenant_id = n."tenantId" AND i.identifier = n.identifier OFFSET 0) AS i`,
      JSON.stringify(identifiers),
    );
  }

  private async lockRoots(tx: Tx, found: readonly (IdentifierKey & { readonly root: string })[]): Promise<Set<string>> {
    const wanted = new Map(found.map(({ tenantId, root }) => [`${tenantId} ${root}`, { tenantId, identifier: root }]));
    const rows = await tx.$queryRawUnsafe<IdentifierKey[]>(
      `SELECT i.tenant_id AS "tenantId", i.identifier FROM jsonb_to_recordset($1::jsonb) AS n("tenantId" uuid, identifier text)
       JOIN identifiers i ON i.tenant_id = n."tenantId" AND i.identifier = n.identifier
       ORDER BY i.tenant_id, i.identifier FOR UPDATE OF i`,
      JSON.stringify([...wanted.values()]),
    );
    return new Set(rows.map(({ tenantId, identifier }) => `${tenantId} ${identifier}`));
  }
}
