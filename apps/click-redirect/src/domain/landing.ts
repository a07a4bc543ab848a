import {
  CLICK_ID,
  fill,
  isClickIdMacro,
  type MacroValues,
  nameOf,
  parameterPieces,
  pathPieces,
  type Piece,
  piecesOf,
  type Template,
  templateOf,
} from './macros';
import { cleanText, SUB_ID_MAX_LENGTH } from './query';

export type { MacroValues } from './macros';

/** A destination, made ready once: a redirect joins the pieces and nothing else. */
export interface Landing {
  readonly withId: Template;
  /** Without the landing parameter. */
  readonly plain: Template;
  /** Whether macros other than the click id's stand in it. */
  readonly needsValues: boolean;
  /** UTM values of the destination that had to give way to other ones. */
  readonly rawUtm: Readonly<Record<string, string>>;
}

/** A longer Location is refused by proxies and servers on the way; what makes it so long is sub ids. */
export const LOCATION_MAX_LENGTH = 8_000;

/** The Location. `clickId` null: the visitor is sent on without one; the landing parameter is left out and click id macros are empty. */
export function render(landing: Landing, values: MacroValues, clickId: string | null): string {
  const template = clickId === null ? landing.plain : landing.withId;
  const url = fill(template, values, clickId);
  return url.length <= LOCATION_MAX_LENGTH ? url : fill(template, { ...values, subIds: {} }, clickId);
}

/**
 * Puts the UTM parameters and the place of the click id on a destination. What the destination brings stays as it is, byte for byte and in
 * its order; parameters that bear one of our names are taken out, so that nothing can speak in our place. Macros of `utm` values are none:
 * they stay text. `href` is what `checkDestination` gave.
 */
export function landingOf(href: string, utm: Readonly<Record<string, string>>, landingParam: string): Landing {
  const { path, query, hash } = cut(href);
  const governed = Object.entries(utm).filter(([name]) => name !== landingParam);
  const ours = new Set([landingParam, ...governed.map(([name]) => name)]);
  const parts = query === null ? [] : query.split('&');
  const names = parts.map(nameOf);
  const placedAt = parts.findIndex((part, i) => names[i] === landingParam && isClickIdMacro(part.slice(part.indexOf('=') + 1)));
  const own = (withId: boolean): Piece[] => {
    const kept = parts.filter((_part, i) => !ours.has(names[i]!) || (withId && i === placedAt));
    return kept.flatMap((part, i) => (i === 0 ? parameterPieces(part, ours) : ['&', ...parameterPieces(part, ours)]));
  };
  const ownUtm = parts.map((part, i): [string, string] => [names[i]!, part]).filter(([name]) => name !== landingParam && ours.has(name));
  const added: Piece[] = [new URLSearchParams(governed).toString()];
  const id: Piece[] = placedAt < 0 ? [new URLSearchParams([[landingParam, '']]).toString(), CLICK_ID] : [];
  const [start, end] = [pathPieces(path), piecesOf(hash)];
  const whole = (...queries: Piece[][]) => templateOf([...start, ...joined(queries), ...end]);
  const withId = whole(own(true), added, id);
  const plain = whole(own(false), added);
  const needsValues = [...withId.slots, ...plain.slots].some((slot) => slot !== CLICK_ID);
  return { withId, plain, needsValues, rawUtm: drifted(ownUtm, utm) };
}

function cut(href: string): { path: string; query: string | null; hash: string } {
  const hashAt = href.indexOf('#');
  const page = hashAt < 0 ? href : href.slice(0, hashAt);
  const queryAt = page.indexOf('?');
  return {
    path: queryAt < 0 ? page : page.slice(0, queryAt),
    query: queryAt < 0 ? null : page.slice(queryAt + 1),
    hash: hashAt < 0 ? '' : href.slice(hashAt),
  };
}

/** As one query, with its question mark. */
function joined(queries: readonly Piece[][]): Piece[] {
  const filled = queries.map((pieces) => pieces.filter((piece) => piece !== '')).filter((pieces) => pieces.length > 0);
  return filled.flatMap((pieces, i) => [i === 0 ? '?' : '&', ...pieces]);
}

function drifted(own: readonly [name: string, part: string][], utm: Readonly<Record<string, string>>): Record<string, string> {
  const raw: Record<string, string> = {};
  for (const [name, part] of own) {
    const value = cleanText(new URLSearchParams(`&${part}`).get(name) ?? '', SUB_ID_MAX_LENGTH);
    if (value !== '' && value !== utm[name] && raw[name] === undefined) raw[name] = value;
  }
  return raw;
}
