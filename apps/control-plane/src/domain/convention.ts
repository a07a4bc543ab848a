import { governedUtm, UTM_MEDIUM, UTM_VALUE, type UtmConvention } from '@baton/contracts';
import { nearestOf, slugOf } from './spelling';

/** One thing that is wrong, where, and how it was probably meant. */
export interface Problem {
  readonly field: string;
  readonly problem: string;
  /** What to write instead, where there is a likely answer. */
  readonly suggestion?: string;
}

const CHOICES = ['source', 'campaign', 'term'] as const;
const GOVERNED = ['utm_source', 'utm_medium', 'utm_campaign', 'utm_content', 'utm_term'];
const SHOWN_MAX = 10;

/** Whether a vocabulary is one: analytics group by exact spelling, so a word that is not well formed would split a report. */
export function problemsOfConvention(convention: UtmConvention): Problem[] {
  const lists = { sources: convention.sources, campaigns: convention.campaigns, terms: convention.terms ?? [] };
  const problems: Problem[] = [];
  for (const [name, list] of Object.entries(lists)) {
    const field = `utm_convention.${name}`;
    if (list.length === 0 && name !== 'terms') problems.push({ field, problem: `is empty: name at least one, the first is the default` });
    for (const [i, value] of list.entries()) {
      if (!UTM_VALUE.test(value)) problems.push(malformedValue(`${field}[${i}]`, value));
      else if (list.indexOf(value) !== i) problems.push({ field: `${field}[${i}]`, problem: `"${value}" stands there twice` });
    }
  }
  return problems;
}

/** What is wrong with a link's choices. Without a convention there is nothing to choose from. */
export function problemsOfChoice(convention: UtmConvention | null | undefined, chosen: Readonly<Record<string, string>>): Problem[] {
  if (!convention)
    return Object.keys(chosen).length === 0
      ? []
      : [{ field: 'utm', problem: 'has nothing to choose from: this program has no UTM convention. Give it one, or leave utm out' }];
  return Object.entries(chosen).flatMap(([name, value]) => {
    const field = `utm.${name}`;
    if (name === 'medium') return [{ field, problem: `is always "${UTM_MEDIUM}"; leave it out` }];
    if (name === 'content') return [{ field, problem: 'is always the key of the partner; leave it out' }];
    const list = listOf(convention, name);
    if (list === undefined)
      return [near({ field, problem: `is not a choice: write ${CHOICES.join(', ')}` }, nearestOf(CHOICES, name.replace(/^utm_/i, '')))];
    if (list === null) return UTM_VALUE.test(value) ? [] : [malformedValue(field, value)];
    if (list.length === 0) return [{ field, problem: 'is not taken: the convention of this program has no terms' }];
    return list.includes(value) ? [] : [near({ field, problem: outside(name, value, list) }, nearestOf(list, value))];
  });
}

/**
 * Governed parameters that a destination brings itself and that say something else than the redirect would. It would overrule them, so the
 * link's maker would never see in a report what they wrote.
 */
export function problemsOfDrift(
  destination: { readonly field: string; readonly href: string },
  convention: UtmConvention,
  chosen: Readonly<Record<string, string>> | null | undefined,
  partnerKey: string | null,
): Problem[] {
  const governed = governedUtm(convention, chosen, partnerKey);
  const own = [...new URL(destination.href).searchParams];
  return own.flatMap(([name, value]) => {
    const parameter = name.toLowerCase();
    if (!GOVERNED.includes(parameter) || (name === parameter && value === governed[parameter])) return [];
    const wanted = governed[parameter];
    const { field } = destination;
    if (wanted !== undefined)
      return [
        {
          field,
          problem: `carries ${name}=${value}, and the convention puts ${parameter}=${wanted}`,
          suggestion: `${parameter}=${wanted}`,
        },
      ];
    return [{ field, problem: `carries ${name}=${value}, which the convention does not put; leave it out, or choose it in utm` }];
  });
}

/** Null: any well-formed word. Undefined: there is no such choice. */
function listOf(convention: UtmConvention, name: string): readonly string[] | null | undefined {
  if (name === 'source') return convention.sources;
  if (name === 'campaign') return convention.campaigns;
  return name === 'term' ? (convention.terms ?? null) : undefined;
}

const malformedValue = (field: string, value: string): Problem =>
  near({ field, problem: `"${value}" is not a UTM value: 1 to 64 of a-z, 0-9, full stop, underscore and hyphen` }, slugOf(value));

function outside(name: string, value: string, list: readonly string[]): string {
  const shown = list.slice(0, SHOWN_MAX).join(', ') + (list.length > SHOWN_MAX ? `, and ${list.length - SHOWN_MAX} more` : '');
  return `"${value}" is not a ${name} of this program's convention: ${shown}`;
}

const near = (problem: Problem, suggestion: string | null | undefined): Problem =>
  suggestion ? { ...problem, problem: `${problem.problem}; did you mean "${suggestion}"?`, suggestion } : problem;
