import type { ClickRecordedData } from '@baton/contracts';
import { mergedSubIds, type Passed } from './query';
import type { Agent } from './visitor';

const DESTINATION_MAX_LENGTH = 2048;

export interface ClickOf {
  readonly clickId: string;
  readonly occurredAt: string;
  readonly link: {
    readonly tenantId: string;
    readonly id: string;
    readonly number: number;
    readonly programId: string;
    readonly partnerId: string;
    readonly subIds: Readonly<Record<string, string>>;
  };
  /** Without the click id. */
  readonly destination: string;
  readonly passed: Passed;
  /** UTM values: those put on the destination, and those of the stored destination that had to give way. */
  readonly utm: Readonly<Record<string, string>>;
  readonly drifted: Readonly<Record<string, string>>;
  readonly agent: Agent;
  readonly prefetch: boolean;
  readonly head: boolean;
  readonly place: { readonly country: string | null; readonly asn: number | null; readonly hosting: boolean; readonly vpn: boolean };
  readonly network: string | null;
  readonly addressHash: string | null;
  readonly userAgentHash: string | null;
  readonly referrerHost: string | null;
  readonly language: string | null;
  readonly visitorId: string | null;
  readonly host: string | null;
}

/** The fact that is recorded before the visitor is sent on. */
export function clickOf(of: ClickOf): ClickRecordedData {
  const { link, agent, place } = of;
  const click: ClickRecordedData = {
    tenantId: link.tenantId,
    clickId: of.clickId,
    linkId: link.id,
    linkNumber: link.number,
    programId: link.programId,
    partnerId: link.partnerId,
    occurredAt: of.occurredAt,
    bot: agent.bot,
    prefetch: of.prefetch || of.head,
    subIds: mergedSubIds(link.subIds, of.passed.subIds),
    // Our own parameters may have made it longer than the contract takes; the record is for people, not for sending.
    destination: of.destination.length > DESTINATION_MAX_LENGTH ? of.destination.slice(0, DESTINATION_MAX_LENGTH) : of.destination,
    deviceClass: agent.deviceClass,
  };
  if (agent.unfurler) click.unfurler = true;
  if (of.head) click.head = true;
  if (agent.os !== null) click.os = agent.os;
  if (of.network !== null) click.network = of.network;
  if (of.addressHash !== null) click.addressHash = of.addressHash;
  if (of.userAgentHash !== null) click.userAgentHash = of.userAgentHash;
  if (place.country !== null) click.country = place.country;
  if (place.asn !== null) {
    click.asn = place.asn;
    click.hosting = place.hosting;
    click.vpn = place.vpn;
  }
  if (of.referrerHost !== null) click.referrerHost = of.referrerHost;
  if (of.language !== null) click.language = of.language;
  if (of.visitorId !== null) click.visitorId = of.visitorId;
  if (of.host !== null) click.host = of.host;
  if (isFilled(of.utm)) click.utm = of.utm;
  if (isFilled(of.passed.rawUtm)) click.rawUtm = isFilled(of.drifted) ? capped({ ...of.passed.rawUtm, ...without(of.drifted, of.passed.rawUtm) }) : of.passed.rawUtm;
  else if (isFilled(of.drifted)) click.rawUtm = of.drifted;
  return click;
}

const RAW_UTM_MAX = 10;

function isFilled(map: Readonly<Record<string, string>>): boolean {
  for (const _ in map) return true;
  return false;
}
const without = (map: Readonly<Record<string, string>>, taken: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(map).filter(([name]) => taken[name] === undefined));
const capped = (map: Record<string, string>): Record<string, string> => Object.fromEntries(Object.entries(map).slice(0, RAW_UTM_MAX));
