import type { DomainData, EntityState, LinkData, PartnerData, ProgramData } from '@baton/contracts';
import type { Terms } from '../domain/decision';

/** What is kept of a link: all that a click needs. */
export type LinkRow = Omit<LinkData, 'changedAt'>;

/** A link as it lies on disk: its values in a fixed order, without their names. A new field comes last. */
export type PackedLink = readonly unknown[];

export const packLink = (d: LinkRow): PackedLink => {
  const packed = [
    ...[d.tenantId, d.id, d.number, d.slug, d.programId, d.partnerId, d.version, d.catalogVersion, d.state, d.destination],
    ...[isEmpty(d.subIds) ? null : d.subIds, d.utm, d.startsAt, d.endsAt, d.clickCap, d.fallbackUrl, plain(d.targets), d.deepLink],
  ];
  let length = packed.length;
  while (packed[length - 1] === null || packed[length - 1] === undefined) length -= 1;
  return packed.slice(0, length).map((value) => value ?? null);
};

export const unpackLink = (p: PackedLink): LinkRow => ({
  tenantId: p[0] as string,
  id: p[1] as string,
  number: p[2] as number,
  slug: p[3] as string,
  programId: p[4] as string,
  partnerId: p[5] as string,
  version: p[6] as number,
  catalogVersion: p[7] as number,
  state: p[8] as EntityState,
  destination: p[9] as string,
  subIds: (p[10] ?? NO_SUB_IDS) as Record<string, string>,
  utm: (p[11] ?? null) as Record<string, string> | null,
  startsAt: (p[12] ?? null) as string | null,
  endsAt: (p[13] ?? null) as string | null,
  clickCap: (p[14] ?? null) as number | null,
  fallbackUrl: (p[15] ?? null) as string | null,
  targets: (p[16] ?? null) as LinkRow['targets'],
  deepLink: (p[17] ?? null) as string | null,
});

export interface PartnerRow {
  readonly version: number;
  readonly state: EntityState;
  readonly key: string;
}
export const partnerRow = ({ version, state, key }: PartnerData): PartnerRow => ({ version, state, key });

export type DomainRow = Pick<DomainData, 'tenantId' | 'id' | 'version' | 'catalogVersion' | 'state' | 'host'> &
  Required<Pick<DomainData, 'rootUrl' | 'appleApps' | 'androidApps'>>;
export const domainRow = (d: DomainData): DomainRow => ({
  tenantId: d.tenantId,
  id: d.id,
  version: d.version,
  catalogVersion: d.catalogVersion,
  state: d.state,
  host: d.host,
  rootUrl: d.rootUrl ?? null,
  appleApps: plain(d.appleApps) ?? null,
  androidApps: plain(d.androidApps) ?? null,
});

export const termsOf = (d: ProgramData): Terms => ({
  version: d.version,
  validFromMs: Date.parse(d.validFrom),
  state: d.state,
  hosts: d.destinationHosts,
  allowHttp: d.allowHttp,
  landingParam: d.landingParam,
  utm: d.utm,
  utmConvention: plain(d.utmConvention) ?? null,
  fallbackUrl: d.fallbackUrl ?? null,
  deepLinkSchemes: d.deepLinkSchemes ?? [],
  appStores: plain(d.appStores) ?? null,
});

/** Highest version first; terms are never edited, so that a version that is there already stays. */
export const withTerms = (versions: readonly Terms[], terms: Terms): readonly Terms[] =>
  versions.some(({ version }) => version === terms.version) ? versions : [...versions, terms].sort((a, b) => b.version - a.version);

export interface Claim {
  readonly tenantId: string;
  readonly id: string;
  readonly version: number;
  readonly catalogVersion: number;
}

/** Of one entity the highest version stays. What passed from one entity to another (a slug, a host) belongs to the later change. */
export const supersedes = (after: Claim, before: Claim | undefined): boolean => {
  if (!before) return true;
  const isSame = before.id === after.id && before.tenantId === after.tenantId;
  return isSame ? after.version > before.version : after.catalogVersion > before.catalogVersion;
};

const NO_SUB_IDS: Readonly<Record<string, string>> = Object.freeze({});
const isEmpty = (map: Readonly<Record<string, string>>): boolean => Object.keys(map).length === 0;
/** Nested classes of contracts as plain objects: the encoding knows no classes. */
const plain = <T>(value: T): T => (value === undefined || value === null ? value : (JSON.parse(JSON.stringify(value)) as T));
