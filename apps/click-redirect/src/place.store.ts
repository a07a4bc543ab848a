import type { Address } from '@baton/contracts';
import { isReserved } from './domain/reserved';
import { AsnTable } from './place/asn-table';
import { MmdbTable } from './place/mmdb';
import { HOSTING_SYSTEMS, VPN_SYSTEMS } from './place/systems';

/** Where an address is used and by whom it is announced; nulls where nobody knows. */
export interface Place {
  /** ISO 3166-1, two capital letters. */
  readonly country: string | null;
  /** The autonomous system that announces the address. */
  readonly asn: number | null;
  /** The system belongs to a data centre. */
  readonly hosting: boolean;
  /** The system belongs to a VPN service. */
  readonly vpn: boolean;
}

export interface PlaceStore {
  /** Under a microsecond; what it gives is shared, not made anew. */
  lookup(address: Address): Place;
}

export interface PlaceFiles {
  /** A MaxMind DB whose records have `country_code` (ip-location-db) or `country.iso_code` (MaxMind, DB-IP). */
  readonly country: string;
  readonly asnV4: string;
  readonly asnV6: string;
}

/** The data that comes with the packages @ip-location-db/*. */
export const INSTALLED_PLACES: PlaceFiles = {
  country: require.resolve('@ip-location-db/geo-whois-asn-country-mmdb/geo-whois-asn-country.mmdb'),
  asnV4: require.resolve('@ip-location-db/asn/asn-ipv4-num.csv'),
  asnV6: require.resolve('@ip-location-db/asn/asn-ipv6.csv'),
};

/** A power of two. */
const PLACES_KEPT = 32_768;
const NOWHERE: Place = { country: null, asn: null, hosting: false, vpn: false };

/** Everything in memory, about 15 MB; opening reads 38 MB of files and writes none. */
export class FilePlaceStore implements PlaceStore {
  private readonly countries: MmdbTable<string>;
  private readonly systems: AsnTable;
  private readonly kept: (Place | undefined)[] = new Array<undefined>(PLACES_KEPT).fill(undefined);

  /** Throws when a file is missing or is not what it should be. */
  constructor(files: PlaceFiles = INSTALLED_PLACES) {
    this.countries = new MmdbTable(files.country, countryOf);
    this.systems = new AsnTable({ v4: files.asnV4, v6: files.asnV6 });
  }

  lookup(address: Address): Place {
    // The files know a country for some networks that are nobody's, 192.168.0.0/16 among them.
    if (isReserved(address)) return NOWHERE;
    return this.placeOf(this.countries.find(address), this.systems.find(address) || null);
  }

  private placeOf(country: string | null, asn: number | null): Place {
    const slot = ((asn ?? 0) * 31 + (country === null ? 0 : country.charCodeAt(0) * 26 + country.charCodeAt(1))) % PLACES_KEPT;
    const kept = this.kept[slot];
    if (kept?.asn === asn && kept.country === country) return kept;
    const place = { country, asn, hosting: asn !== null && HOSTING_SYSTEMS.has(asn), vpn: asn !== null && VPN_SYSTEMS.has(asn) };
    this.kept[slot] = place;
    return place;
  }
}

/** Of a record of either dialect. Codes that are no country (`ZZ` and its like) are none. */
export function countryOf(record: unknown): string | null {
  const { country_code: flat, country } = record as { country_code?: unknown; country?: { iso_code?: unknown } };
  const code = flat ?? country?.iso_code;
  return typeof code === 'string' && /^[A-Z]{2}$/.test(code) && code !== 'ZZ' ? code : null;
}
