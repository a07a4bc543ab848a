import type { Tx } from '@baton/platform';

export interface SignedIdRow {
  readonly keyId: string;
  readonly idHash: string;
  readonly bodyHash: string;
}

const FORGET_MAX = 5_000;

export interface SignedIdStore {
  /** `<key id> <id hash>` -> the digest of what came under it first. */
  claim(tx: Tx, rows: readonly SignedIdRow[], at: string): Promise<ReadonlyMap<string, string>>;
  /** Some of those seen before; gives how many. */
  forget(tx: Tx, before: string): Promise<number>;
}

export const signedIdStore: SignedIdStore = {
  /** Insert, then read in a statement of its own: it sees what another replica committed in between. */
  async claim(tx, rows, at) {
    const json = JSON.stringify(rows);
    await tx.$executeRawUnsafe(
      `INSERT INTO signed_ids (key_id, id_hash, body_hash, seen_at)
       SELECT r."keyId", r."idHash", r."bodyHash", $2::timestamptz
       FROM jsonb_to_recordset($1::jsonb) AS r("keyId" uuid, "idHash" text, "bodyHash" text)
       ORDER BY 1, 2
       ON CONFLICT DO NOTHING`,
      json,
      at,
    );
    const found = await tx.$queryRawUnsafe<{ name: string; body_hash: string }[]>(
      `SELECT s.key_id || ' ' || s.id_hash AS name, s.body_hash
       FROM jsonb_to_recordset($1::jsonb) AS r("keyId" uuid, "idHash" text)
       JOIN signed_ids s ON s.key_id = r."keyId" AND s.id_hash = r."idHash"`,
      json,
    );
    return new Map(found.map(({ name, body_hash }) => [name, body_hash]));
  },
  async forget(tx, before) {
    return tx.$executeRawUnsafe(
      `DELETE FROM signed_ids WHERE (key_id, id_hash) IN
         (SELECT key_id, id_hash FROM signed_ids WHERE seen_at < $1::timestamptz ORDER BY key_id, id_hash LIMIT ${FORGET_MAX})`,
      before,
    );
  },
};
