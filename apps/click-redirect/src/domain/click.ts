import type { ClickRecordedData } from '@baton/contracts';
import type { Agent } from './visitor';

const DESTINATION_MAX_LENGTH = 2048;
const RAW_UTM_MAX = 10;

/** What is known of one click. Texts made by `linkText`, `agentText`, `placeText` and `landingText` are made once for many clicks. */
export interface ClickText {
  readonly clickId: string;
  readonly occurredAt: string;
  readonly link: string;
  readonly agent: string;
  readonly place: string;
  readonly subIds: Readonly<Record<string, string>>;
  readonly landing: string;
  /** UTM values of the visitor's request, and those of the stored destination that gave way. */
  readonly rawUtm: Readonly<Record<string, string>>;
  readonly drifted: Readonly<Record<string, string>>;
  readonly prefetch: boolean;
  /** Asked with HEAD. */
  readonly head: boolean;
  readonly network: string | null;
  readonly addressHash: string | null;
  readonly referrerHost: string | null;
  readonly language: string | null;
  readonly visitorId: string | null;
  readonly host: string | null;
}

/**
 * The value of a `click.recorded`, as JSON. Written by hand, since it is made while a visitor waits: most of it is the same for all clicks of
 * a link, a browser or a network. A property test reads it back through the contract.
 */
export function clickText(of: ClickText): string {
  let text = `${of.link},"clickId":"${of.clickId}","occurredAt":"${of.occurredAt}","prefetch":${of.prefetch || of.head}${of.agent}${of.place}`;
  text += isFilled(of.subIds) ? `,"subIds":${JSON.stringify(of.subIds)}` : ',"subIds":{}';
  text += of.landing;
  if (of.head) text += ',"head":true';
  if (of.network !== null) text += `,"network":"${of.network}"`;
  if (of.addressHash !== null) text += `,"addressHash":"${of.addressHash}"`;
  if (of.referrerHost !== null) text += `,"referrerHost":${JSON.stringify(of.referrerHost)}`;
  if (of.language !== null) text += `,"language":"${of.language}"`;
  if (of.visitorId !== null) text += `,"visitorId":"${of.visitorId}"`;
  if (of.host !== null) text += `,"host":"${of.host}"`;
  if (isFilled(of.rawUtm) || isFilled(of.drifted)) text += `,"rawUtm":${JSON.stringify(rawUtmOf(of.rawUtm, of.drifted))}`;
  return `${text}}`;
}

type LinkIds = Pick<ClickRecordedData, 'tenantId' | 'programId' | 'partnerId'> & { readonly id: string; readonly number: number };
export const linkText = ({ tenantId, id, number, programId, partnerId }: LinkIds): string =>
  `{"tenantId":"${tenantId}","linkId":"${id}","linkNumber":${number},"programId":"${programId}","partnerId":"${partnerId}"`;

export const agentText = ({ bot, unfurler, deviceClass, os }: Agent, userAgentHash: string | null): string =>
  `,"bot":${bot},"deviceClass":"${deviceClass}"${unfurler ? ',"unfurler":true' : ''}${os === null ? '' : `,"os":"${os}"`}${
    userAgentHash === null ? '' : `,"userAgentHash":"${userAgentHash}"`
  }`;

export const placeText = ({
  country,
  asn,
  hosting,
  vpn,
}: {
  country: string | null;
  asn: number | null;
  hosting: boolean;
  vpn: boolean;
}): string =>
  `${country === null ? '' : `,"country":"${country}"`}${asn === null ? '' : `,"asn":${asn},"hosting":${hosting},"vpn":${vpn}`}`;

/** `destination`: without the click id. `utm`: the values that were put on it. */
export function landingText(destination: string, utm: Readonly<Record<string, string>>): string {
  // Our own parameters may have made it longer than the contract takes; the record is for people, not for sending.
  const text = `,"destination":${JSON.stringify(destination.slice(0, DESTINATION_MAX_LENGTH))}`;
  return isFilled(utm) ? `${text},"utm":${JSON.stringify(utm)}` : text;
}

/** The visitor's own stand before those of the destination. */
function rawUtmOf(ofVisitor: Readonly<Record<string, string>>, drifted: Readonly<Record<string, string>>): Record<string, string> {
  const entries = [...Object.entries(ofVisitor), ...Object.entries(drifted).filter(([name]) => ofVisitor[name] === undefined)];
  return Object.fromEntries(entries.slice(0, RAW_UTM_MAX));
}

function isFilled(map: Readonly<Record<string, string>>): boolean {
  for (const _ in map) return true;
  return false;
}
