import type { Tx } from '@baton/platform';

export const DOOR_ITSELF = '00000000-0000-0000-0000-000000000000';

/** What was set for a door (`id` nil), or for one of its endpoints. */
export interface SettingRow {
  readonly door: string;
  readonly id: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Sealed. */
  readonly secrets: Buffer | null;
  readonly test: boolean;
  readonly programId: string | null;
  readonly version: number;
  readonly state: 'active' | 'disabled';
}
export type NewSetting = Omit<SettingRow, 'version'>;

/** Settings of doors. Every call but `ownerOf` belongs to a transaction of the one tenant. */
export interface SettingStore {
  all(tx: Tx): Promise<SettingRow[]>;
  /** Makes or replaces; gives the new version. */
  put(tx: Tx, tenantId: string, setting: NewSetting): Promise<number>;
  addEndpoint(tx: Tx, endpoint: { readonly id: string; readonly owner: string; readonly door: string }): Promise<void>;
  /** Outside of any tenant: it is what tells the tenant. */
  ownerOf(tx: Tx, endpointId: string): Promise<{ readonly tenantId: string; readonly door: string } | null>;
}

export const settingStore: SettingStore = {
  async all(tx) {
    const rows = await tx.$queryRawUnsafe<Row[]>(
      `SELECT door, id, settings, encode(secrets, 'base64') AS secrets, test, program_id, version, state FROM door_settings
       WHERE tenant_id = current_setting('app.tenant')::uuid ORDER BY door, changed_at, id`,
    );
    return rows.map(({ program_id: programId, secrets, ...row }) => ({
      ...row,
      programId,
      secrets: secrets === null ? null : Buffer.from(secrets, 'base64'),
    }));
  },

  async put(tx, tenantId, { door, id, settings, secrets, test, programId, state }) {
    const [row] = await tx.$queryRawUnsafe<{ version: number }[]>(
      `INSERT INTO door_settings (tenant_id, door, id, settings, secrets, test, program_id, version, state)
       VALUES ($1::uuid, $2, $3::uuid, $4::jsonb, decode($5, 'base64'), $6, $7::uuid, 1, $8)
       ON CONFLICT (tenant_id, door, id) DO UPDATE SET settings = excluded.settings, secrets = excluded.secrets, test = excluded.test,
         program_id = excluded.program_id, state = excluded.state, version = door_settings.version + 1, changed_at = now()
       RETURNING version`,
      ...[tenantId, door, id, JSON.stringify(settings), secrets?.toString('base64') ?? null, test, programId, state],
    );
    return row?.version ?? 1;
  },

  async addEndpoint(tx, { id, owner, door }) {
    await tx.$executeRawUnsafe('INSERT INTO door_endpoints (id, owner, door) VALUES ($1::uuid, $2::uuid, $3)', id, owner, door);
  },

  async ownerOf(tx, endpointId) {
    const [row] = await tx.$queryRawUnsafe<{ owner: string; door: string }[]>(
      'SELECT owner, door FROM door_endpoints WHERE id = $1::uuid',
      endpointId,
    );
    return row ? { tenantId: row.owner, door: row.door } : null;
  },
};

interface Row {
  readonly door: string;
  readonly id: string;
  readonly settings: Record<string, unknown>;
  readonly secrets: string | null;
  readonly test: boolean;
  readonly program_id: string | null;
  readonly version: number;
  readonly state: 'active' | 'disabled';
}
