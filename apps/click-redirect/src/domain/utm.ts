import { type LinkData, UTM_MEDIUM, UTM_VALUE, type UtmConvention } from '@baton/contracts';

export interface UtmRules {
  readonly utm: Readonly<Record<string, string>>;
  readonly utmConvention: UtmConvention | null;
  /** It belongs to the click id, whatever the convention says. */
  readonly landingParam: string;
}

const CONTENT_MAX_LENGTH = 64;

/** The UTM parameters that a link puts on its destinations: those of the program's convention, or its fixed ones where there is none. */
export function governedUtm(rules: UtmRules, chosen: LinkData['utm'], partnerKey: string | null): Readonly<Record<string, string>> {
  const { utm, utmConvention, landingParam } = rules;
  const named = utmConvention ? byConvention(utmConvention, chosen ?? {}, partnerKey) : utm;
  return Object.fromEntries(Object.entries(named).filter(([name, value]) => name !== landingParam && value !== ''));
}

function byConvention(
  { sources, campaigns, terms }: UtmConvention,
  chosen: Readonly<Record<string, string>>,
  partnerKey: string | null,
): Readonly<Record<string, string>> {
  const term = chosen['term'] ?? '';
  const isTermAllowed = UTM_VALUE.test(term) && (!terms || terms.includes(term));
  return {
    utm_source: ofVocabulary(sources, chosen['source']),
    utm_medium: UTM_MEDIUM,
    utm_campaign: ofVocabulary(campaigns, chosen['campaign']),
    utm_content: partnerKey === null ? '' : contentOf(partnerKey),
    utm_term: isTermAllowed ? term : '',
  };
}

/** What a link chose may have left the vocabulary since. */
const ofVocabulary = (words: readonly string[], chosen: string | undefined): string =>
  chosen !== undefined && words.includes(chosen) ? chosen : (words[0] ?? '');

const contentOf = (partnerKey: string): string =>
  partnerKey
    .toLowerCase()
    .replace(/[^a-z0-9._-]/gu, '-')
    .slice(0, CONTENT_MAX_LENGTH);
