import { governedUtm, type LinkData, type UtmConvention } from '@baton/contracts';

export interface UtmRules {
  readonly utm: Readonly<Record<string, string>>;
  readonly utmConvention: UtmConvention | null;
  /** It belongs to the click id, whatever the convention says. */
  readonly landingParam: string;
}

/** The UTM parameters that a link puts on its destinations: those of the program's convention, or its fixed ones where there is none. */
export function utmOf(rules: UtmRules, chosen: LinkData['utm'], partnerKey: string | null): Record<string, string> {
  const { utm, utmConvention, landingParam } = rules;
  const named = utmConvention ? governedUtm(utmConvention, chosen, partnerKey === '' ? null : partnerKey) : utm;
  return Object.fromEntries(Object.entries(named).filter(([name]) => name !== landingParam));
}
