/** A rule of `apple-app-site-association`. A key left out fits anything. Apple's `$(…)` variables are read as plain text. */
export interface AppLinkComponent {
  /** The path, escapes as they stand in the URL. */
  readonly '/'?: string;
  /** The whole query, or name by name; names that are not mentioned do not matter, and a missing one reads as empty. */
  readonly '?'?: string | Readonly<Record<string, string>>;
  readonly '#'?: string;
  /** URLs that fit do not open the app, and no later rule is looked at. */
  readonly exclude?: boolean;
  readonly caseSensitive?: boolean;
}

/** Where links lead when a domain names no paths. */
export const ALL_LINKS = '/r/*';
/** A visitor who chose the web goes to a URL with this fragment, and the app stays out of it. */
export const NO_UNIVERSAL_LINKS = 'no_universal_links';
/** SHA-256 of an Android app's signing certificate. */
export const FINGERPRINT = /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/;

/** The rules under which a domain's URLs open an Apple app. `paths` are patterns; absent or empty: every link. */
export function appLinkComponents(paths?: readonly string[] | null): AppLinkComponent[] {
  const wanted = paths && paths.length > 0 ? paths : [ALL_LINKS];
  return [{ '#': NO_UNIVERSAL_LINKS, exclude: true }, ...wanted.map((path) => ({ '/': path }))];
}

/**
 * Whether iOS would hand a URL to the app: the first rule that fits decides. In patterns `*` is any text and `?` any one character.
 * A text that is no absolute http(s) URL opens nothing. Source: Apple's reference of `applinks.details.components`.
 */
export function opensApp(components: readonly AppLinkComponent[], url: string): boolean {
  if (!URL.canParse(url)) return false;
  const parsed = new URL(url);
  if (parsed.protocol !== 'https:' && parsed.protocol !== 'http:') return false;
  const first = components.find((component) => fits(component, parsed));
  return first !== undefined && first.exclude !== true;
}

/** `*` any text, also none; `?` one character. Linear but for the last star, so no pattern can stall it. */
export function matchesPattern(pattern: string, text: string): boolean {
  const [wanted, given] = [[...pattern], [...text]];
  let [p, t, starAt, resumeAt] = [0, 0, -1, 0];
  while (t < given.length) {
    if (wanted[p] === '*') [starAt, resumeAt] = [p++, t];
    else if (p < wanted.length && (wanted[p] === '?' || wanted[p] === given[t])) [p, t] = [p + 1, t + 1];
    // The last star takes one character more; what stood before it has matched and stays so.
    else if (starAt >= 0) [p, t] = [starAt + 1, ++resumeAt];
    else return false;
  }
  return wanted.slice(p).every((character) => character === '*');
}

function fits(component: AppLinkComponent, url: URL): boolean {
  const fold = (text: string): string => (component.caseSensitive === false ? text.toLowerCase() : text);
  const matches = (pattern: string | undefined, text: string): boolean => matchesPattern(fold(pattern ?? '*'), fold(text));
  const query = component['?'];
  return (
    matches(component['/'], url.pathname) &&
    matches(component['#'], url.hash.slice(1)) &&
    (query === undefined || typeof query === 'string'
      ? matches(query, url.search.slice(1))
      : Object.entries(query).every(([name, pattern]) => valuesOf(url, name).every((value) => matches(pattern, value))))
  );
}

/** Of a name that comes several times every value must fit. */
function valuesOf(url: URL, name: string): string[] {
  const values = url.searchParams.getAll(name);
  return values.length > 0 ? values : [''];
}
