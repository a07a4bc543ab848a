import { UUID } from '@baton/contracts';
import { type Caller, type Database, Problem, programsOf } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import type { Door, DoorKnown, DoorSettings } from './door';
import { seal, unseal } from './seal';
import { DOOR_ITSELF, type NewSetting, type SettingRow, type SettingStore } from './setting.store';
import { isObject } from './shape';
import { settingProblems, secretProblems } from './asked';

export interface TenantDoorsParts {
  readonly database: Database;
  readonly settings: SettingStore;
  readonly doors: readonly Door[];
  /** 32 bytes; null: this installation keeps no secrets. */
  readonly sealKey: Buffer | null;
  readonly now: () => number;
}

export interface EndpointAsked {
  readonly secrets?: unknown;
  readonly settings?: unknown;
  readonly state?: unknown;
}

/** Changes are seen by other replicas within so long, by this one at once. */
const CACHE_MS = 5_000;
const CACHE_MAX = 10_000;
const ENDPOINTS_MAX = 50;
const SCOPES = ['conversions:write', 'reversals:write', 'identities:write'];

interface OfTenant {
  readonly rows: readonly SettingRow[];
  readonly landingParams: readonly string[];
}

/** What tenants set for doors. Read once in five seconds for each tenant, whatever comes through. */
export class TenantDoors {
  private readonly tenants = new Map<string, Cached<OfTenant>>();
  private readonly owners = new Map<string, Cached<{ readonly tenantId: string; readonly door: string }>>();

  constructor(private readonly parts: TenantDoorsParts) {}

  async of(caller: Caller, door: string): Promise<{ settings: DoorSettings; known: DoorKnown }> {
    const { rows, landingParams } = await this.load(caller.tenantId);
    const { keys, ...settings } = rows.find((row) => row.door === door && row.id === DOOR_ITSELF)?.settings ?? {};
    const ofEndpoint = rows.find((row) => row.door === door && row.id === caller.keyId)?.settings;
    const ofKey = isObject(keys) ? (keys[caller.keyId] as DoorSettings | undefined) : undefined;
    return { settings: { ...settings, ...ofEndpoint, ...ofKey }, known: { test: caller.test, landingParams } };
  }

  /** Null: there is none of this id, it is another door's, or it was switched off. */
  async endpoint(door: string, id: string): Promise<{ caller: Caller; secrets: readonly string[] } | null> {
    if (!UUID.test(id) || id === DOOR_ITSELF) return null;
    const { database, settings } = this.parts;
    const owner = await this.cached(this.owners, id, () => database.untenanted((tx) => settings.ownerOf(tx, id)));
    if (owner?.door !== door) return null;
    const row = (await this.load(owner.tenantId)).rows.find((one) => one.door === door && one.id === id);
    if (row?.state !== 'active') return null;
    const caller = { tenantId: owner.tenantId, keyId: id, scopes: SCOPES, test: row.test, programId: row.programId };
    return { caller, secrets: this.open(owner.tenantId, row) };
  }

  /** Every door, with what this tenant set; of secrets the last four characters. */
  async list({ tenantId }: Caller): Promise<object[]> {
    const rows = await this.read(tenantId);
    return this.parts.doors.map((door) => {
      const own = rows.find((row) => row.door === door.name && row.id === DOOR_ITSELF);
      const endpoints = rows
        .filter((row) => row.door === door.name && row.id !== DOOR_ITSELF)
        .map((row) => this.shown(tenantId, door, row));
      return {
        door: door.name,
        speaks: door.speaks,
        settings: own?.settings ?? {},
        version: own?.version ?? 0,
        ...(door.endpoints ? { endpoints } : {}),
      };
    });
  }

  async set(caller: Caller, name: string, settings: unknown): Promise<object> {
    const door = this.door(name);
    refuse(settingProblems(door, settings, true));
    const row = {
      door: name,
      id: DOOR_ITSELF,
      settings: settings as DoorSettings,
      secrets: null,
      test: false,
      programId: null,
      state: 'active',
    } as const;
    return { door: name, settings, version: await this.put(caller.tenantId, row) };
  }

  async makeEndpoint(caller: Caller, name: string, asked: EndpointAsked): Promise<object> {
    const door = this.signing(name);
    const settings = asked.settings ?? {};
    refuse([...secretProblems(door, asked.secrets), ...settingProblems(door, settings, false)]);
    const { tenantId, test, programId = null } = caller;
    const made = (await this.read(tenantId)).filter((row) => row.door === name && row.id !== DOOR_ITSELF);
    if (made.length >= ENDPOINTS_MAX)
      throw new Problem('malformed', `There are ${ENDPOINTS_MAX} endpoints already: change one of them instead.`);
    const id = randomUUID();
    const secrets = seal(this.key(), aboutOf(tenantId, name, id), asked.secrets as string[]);
    const row = { door: name, id, settings: settings as DoorSettings, secrets, test, programId, state: 'active' } as const;
    return this.shown(tenantId, door, { ...row, version: await this.put(tenantId, row, true) });
  }

  /** What is named is replaced. Of secrets all count at once: during a rotation both are named. */
  async changeEndpoint({ tenantId }: Caller, name: string, id: string, asked: EndpointAsked): Promise<object> {
    const door = this.signing(name);
    const row = (await this.read(tenantId)).find((one) => one.door === name && one.id === id && id !== DOOR_ITSELF);
    if (!row) throw new Problem('not_found', 'There is no such endpoint for this key.');
    const { secrets, settings = row.settings, state = row.state } = asked;
    const badState = state === 'active' || state === 'disabled' ? [] : [{ field: 'state', problem: 'state must be active or disabled' }];
    refuse([...(secrets === undefined ? [] : secretProblems(door, secrets)), ...settingProblems(door, settings, false), ...badState]);
    const sealed = secrets === undefined ? row.secrets : seal(this.key(), aboutOf(tenantId, name, id), secrets as string[]);
    const changed = { ...row, secrets: sealed, settings: settings as DoorSettings, state: state as SettingRow['state'] };
    return this.shown(tenantId, door, { ...changed, version: await this.put(tenantId, changed) });
  }

  private shown(tenantId: string, door: Door, row: SettingRow): object {
    const { id, settings, state, test, programId, version } = row;
    const path = door.endpoints?.path.replace(':endpoint', id);
    return { id, path, state, test, program_id: programId, settings, version, secrets: this.hints(tenantId, row) };
  }

  private hints(tenantId: string, row: SettingRow): string[] {
    try {
      return this.open(tenantId, row).map((secret) => `…${secret.slice(-4)}`);
    } catch {
      return ['cannot be opened: set them again'];
    }
  }

  private async put(tenantId: string, row: NewSetting, isNewEndpoint = false): Promise<number> {
    const { database, settings } = this.parts;
    const version = await database.transaction([tenantId], async (tx) => {
      if (isNewEndpoint) await settings.addEndpoint(tx, { id: row.id, owner: tenantId, door: row.door });
      return settings.put(tx, tenantId, row);
    });
    this.tenants.delete(tenantId);
    return version;
  }

  private open(tenantId: string, { door, id, secrets }: SettingRow): readonly string[] {
    return secrets === null ? [] : unseal(this.key(), aboutOf(tenantId, door, id), secrets);
  }

  private key(): Buffer {
    if (this.parts.sealKey) return this.parts.sealKey;
    throw new Problem('unavailable', 'This installation keeps no secrets: its operator sets DOOR_SECRETS_KEY.');
  }

  private door(name: string): Door {
    const door = this.parts.doors.find((one) => one.name === name);
    if (!door) throw new Problem('not_found', `There is no such door; there are ${this.parts.doors.map((one) => one.name).join(', ')}.`);
    return door;
  }

  private signing(name: string): Door {
    const door = this.door(name);
    if (!door.endpoints) throw new Problem('not_found', `The door ${name} has no endpoints: its callers name an API key.`);
    return door;
  }

  private async load(tenantId: string): Promise<OfTenant> {
    const { database, settings } = this.parts;
    const loaded = await this.cached(this.tenants, tenantId, () =>
      database.transaction([tenantId], async (tx) => ({
        rows: await settings.all(tx),
        landingParams: [...new Set((await programsOf(tx, tenantId)).map((program) => program.landingParam))].sort(),
      })),
    );
    return loaded ?? { rows: [], landingParams: [] };
  }

  private read(tenantId: string): Promise<SettingRow[]> {
    return this.parts.database.transaction([tenantId], (tx) => this.parts.settings.all(tx));
  }

  /** What is not there is asked for again at once: it may have been made a moment ago. */
  private async cached<T>(cache: Map<string, Cached<T>>, key: string, load: () => Promise<T | null>): Promise<T | null> {
    const now = this.parts.now();
    const found = cache.get(key);
    if (found && found.untilMs > now) return found.value;
    const value = await load();
    if (cache.size >= CACHE_MAX) cache.clear();
    if (value) cache.set(key, { untilMs: now + CACHE_MS, value });
    return value;
  }
}

interface Cached<T> {
  readonly untilMs: number;
  readonly value: T;
}

const aboutOf = (tenantId: string, door: string, id: string): string => `${tenantId}/${door}/${id}`;

function refuse(errors: ReturnType<typeof settingProblems>): void {
  if (errors.length > 0) throw new Problem('malformed', errors.map(({ problem }) => problem).join('; '), { errors });
}
