import { UTM_MEDIUM, UTM_VALUE, type UtmConvention } from './catalog/program';

/**
 * What a program's convention puts on a landing page, by parameter name (`utm_source`, …). Every value matches `UTM_VALUE`.
 *
 * @param chosen what the link chose: `source`, `campaign`, `term`. A choice that is no longer on the lists gives way to the list's first
 * (a term to none): the vocabulary may have changed since, and analytics must never see a word outside it.
 * @param partnerKey null: there is no `utm_content`.
 */
export function governedUtm(
  convention: UtmConvention,
  chosen: Readonly<Record<string, string>> | null | undefined,
  partnerKey: string | null,
): Record<string, string> {
  const utm: Record<string, string> = {};
  const put = (name: string, value: string | undefined): void => {
    if (value !== undefined && UTM_VALUE.test(value)) utm[`utm_${name}`] = value;
  };
  put('source', ofList(convention.sources, chosen?.['source']));
  put('medium', UTM_MEDIUM);
  put('campaign', ofList(convention.campaigns, chosen?.['campaign']));
  if (partnerKey !== null) put('content', utmContentOf(partnerKey));
  const term = chosen?.['term'];
  if (term !== undefined && (!convention.terms || convention.terms.includes(term))) put('term', term);
  return utm;
}

/** `Garden_Blog~2` is `garden_blog-2`. */
export const utmContentOf = (partnerKey: string): string =>
  partnerKey
    .toLowerCase()
    .replace(/[^a-z0-9._-]/g, '-')
    .slice(0, 64);

const ofList = (list: readonly string[], chosen: string | undefined): string | undefined =>
  chosen !== undefined && list.includes(chosen) ? chosen : list[0];
