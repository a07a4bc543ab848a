import type { Address } from './domain/address';
export interface Place { readonly country: string | null; readonly asn: number | null; readonly hosting: boolean; readonly vpn: boolean }
export interface PlaceStore { lookup(address: Address): Place }
const NONE: Place = { country: null, asn: null, hosting: false, vpn: false };
export const openPlaceStore = (): PlaceStore => ({ lookup: () => NONE });
