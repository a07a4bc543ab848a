import { flat } from './flat';
import { cleanText, SUB_ID_MAX_LENGTH, SUB_ID_NAMES } from './query';

/** What the macros of a destination stand for. */
export interface MacroValues {
  readonly partnerKey: string | null;
  readonly partnerId: string;
  readonly programId: string;
  readonly linkId: string;
  readonly slug: string;
  readonly subIds: Readonly<Record<string, string>>;
  readonly country: string | null;
  readonly device: string;
  readonly os: string | null;
  readonly visitorId: string | null;
  readonly atMs: number;
}

/** Gives the text that stands in a macro's place, escaped. */
export type Slot = (values: MacroValues, clickId: string | null) => string;
export type Piece = string | Slot;
/** A text with places in it, ready to be joined: `texts` has one more than `slots`. */
export interface Template {
  readonly texts: readonly string[];
  readonly slots: readonly Slot[];
}

export const CLICK_ID: Slot = (_values, clickId) => (clickId === null ? '' : escaped(clickId));

export function fill({ texts, slots }: Template, values: MacroValues, clickId: string | null): string {
  let text = texts[0]!;
  for (let i = 0; i < slots.length; i++) text += slots[i]!(values, clickId) + texts[i + 1]!;
  return text;
}

export function templateOf(pieces: readonly Piece[]): Template {
  const texts = [''];
  const slots: Slot[] = [];
  for (const piece of pieces) {
    if (typeof piece === 'string') texts[texts.length - 1] += piece;
    else {
      slots.push(piece);
      texts.push('');
    }
  }
  return { texts: texts.map(flat), slots };
}

/** Whether a parameter's value, as it is written, is a click id macro and nothing else. */
export function isClickIdMacro(value: string): boolean {
  const macro = ONE_MACRO.exec(value);
  return macro !== null && CLICK_ID_NAMES.includes(macro[1]!);
}

/** For a fragment or a parameter's value: what comes from a visitor can end neither. */
export function piecesOf(text: string, slotOf: (read: Reader) => Slot = plainly): Piece[] {
  if (!BRACE.test(text)) return text === '' ? [] : [text];
  const pieces: Piece[] = [];
  let end = 0;
  for (const macro of text.matchAll(MACROS)) {
    const read = READERS.get(macro[1]!);
    if (!read) continue;
    pieces.push(text.slice(end, macro.index), slotOf(read));
    end = macro.index + macro[0].length;
  }
  pieces.push(text.slice(end));
  return pieces.filter((piece) => piece !== '');
}

/** For a path. No value makes a segment that a browser reads as "here" or "one up". */
export function pathPieces(path: string): Piece[] {
  if (!BRACE.test(path)) return [path];
  return path.split('/').flatMap((segment, i) => (i === 0 ? segmentPieces(segment) : ['/', ...segmentPieces(segment)]));
}

/** For one `name=value` of a query. No value makes a name that is one of `ours`: the macros then stay as they are written. */
export function parameterPieces(part: string, ours: ReadonlySet<string>): Piece[] {
  if (!BRACE.test(part)) return [part];
  const at = part.indexOf('=');
  const name = at < 0 ? part : part.slice(0, at);
  const value = at < 0 ? [] : ['=', ...piecesOf(part.slice(at + 1))];
  const pieces = piecesOf(name);
  if (pieces.every((piece) => typeof piece === 'string')) return [name, ...value];
  const template = templateOf(pieces);
  const reserved = new Set([...ours].map(asLenientlyRead));
  const guarded: Slot = (values, clickId) => {
    const text = fill(template, values, clickId);
    return reserved.has(asLenientlyRead(nameOf(text))) ? name : text;
  };
  return [guarded, ...value];
}

/** A parameter's name as the destination's server reads it: escapes and plus signs undone. */
export function nameOf(part: string): string {
  // The leading & keeps a name that begins with ? as it is.
  for (const [name] of new URLSearchParams(`&${part}`)) return name;
  return '';
}

type Reader = (values: MacroValues, clickId: string | null) => string | null | undefined;

const CLICK_ID_NAMES = ['click_id', 'clickid', 'cid', 'transaction_id', 'irclickid', 'dub_id', 'ps_xid'];
// A URL parser escapes the braces of a path, and leaves those of a query and a fragment.
const MACROS = /(?:\{|%7[Bb])([a-z][a-z0-9_]*)(?:\}|%7[Dd])/g;
const ONE_MACRO = /^(?:\{|%7[Bb])([a-z][a-z0-9_]*)(?:\}|%7[Dd])$/;
const BRACE = /\{|%7b/i;
const DOTS = /^(?:\.|%2e)+$/i;
/** Needs no escape anywhere in a URL. */
const UNRESERVED = /^[A-Za-z0-9._~-]*$/;

const HALF_CHARACTER = /\p{Surrogate}/u;
const CONTROL = /[\0-\x1f\x7f-\x9f]/;
// `encodeURIComponent` leaves them, though a URL gives them a meaning here and there.
const MARKS = /[!'()*]/;
const MARKS_ALL = /[!'()*]/g;

const partnerName: Reader = ({ partnerKey, partnerId }) => partnerKey ?? partnerId;
const program: Reader = ({ programId }) => programId;
const country: Reader = (values) => values.country;
const device: Reader = (values) => values.device;
const os: Reader = (values) => values.os;

/** Our names, and those of TUNE, Everflow, impact.com, Voluum, RedTrack, Binom, Dub and PartnerStack for the same values. */
const READERS: ReadonlyMap<string, Reader> = new Map<string, Reader>([
  ...CLICK_ID_NAMES.map((name): [string, Reader] => [name, (_values, clickId) => clickId]),
  ...SUB_ID_NAMES.map((name): [string, Reader] => [name, ({ subIds }) => subIds[name]]),
  ['partner_key', ({ partnerKey }) => partnerKey],
  ['partner_id', ({ partnerId }) => partnerId],
  // Who comes from another platform brought its affiliate ids along as keys.
  ['affiliate_id', partnerName],
  ['aff_id', partnerName],
  ['program_id', program],
  ['offer_id', program],
  ['campaign_id', program],
  ['link_id', ({ linkId }) => linkId],
  ['slug', ({ slug }) => slug],
  ['country', country],
  ['country_code', country],
  ['device', device],
  ['device_type', device],
  ['os', os],
  ['device_os', os],
  ['visitor_id', ({ visitorId }) => visitorId],
  ['timestamp', ({ atMs }) => String(Math.floor(atMs / 1000))],
]);

const plainly =
  (read: Reader): Slot =>
  (values, clickId) =>
    escaped(read(values, clickId) ?? '');

const withoutDots =
  (read: Reader): Slot =>
  (values, clickId) => {
    const text = escaped(read(values, clickId) ?? '');
    return text === '.' || text === '..' ? '' : text;
  };

function segmentPieces(segment: string): Piece[] {
  const pieces = piecesOf(segment);
  const literal = pieces.filter((piece) => typeof piece === 'string').join('');
  // `..{sub1}` would climb where there is no sub id.
  if (DOTS.test(literal)) return [segment];
  return literal === '' ? piecesOf(segment, withoutDots) : pieces;
}

/** Fit for any place behind the host: nothing in it has a meaning there. Control characters are left out, escaped ones too are read by some. */
function escaped(text: string): string {
  if (UNRESERVED.test(text)) return text;
  const clean = CONTROL.test(text) || text.length > SUB_ID_MAX_LENGTH ? cleanText(text, SUB_ID_MAX_LENGTH) : text;
  const written = encodeURIComponent(HALF_CHARACTER.test(clean) ? clean.replace(/\p{Surrogate}/gu, '\ufffd') : clean);
  return MARKS.test(written) ? written.replace(MARKS_ALL, escapedMark) : written;
}

const escapedMark = (char: string): string => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;

/** Some servers take `click.id`, ` click_id` and `click_id[]` for click_id, or do not tell capitals. */
const asLenientlyRead = (name: string): string => name.replace(/\[.*$/s, '').trimStart().replace(/[ .]/g, '_').toLowerCase();
