import { channelOf, type TouchRecordedData } from '@baton/contracts';
import type { PixelSaid } from './pixel';
import type { Agent } from './visitor';

export interface TouchOf {
  readonly touchId: string;
  /** When the request arrived: the visitor's clock is not asked. */
  readonly occurredAtMs: number;
  readonly tenantId: string;
  readonly programId: string;
  /** Verified. */
  readonly click: { readonly id: string; readonly linkId: string; readonly partnerId: string } | null;
  readonly said: PixelSaid;
  readonly visitorId: string | null;
  readonly agent: Agent;
  readonly place: { readonly country: string | null; readonly asn: number | null; readonly hosting: boolean; readonly vpn: boolean };
  readonly network: string | null;
  readonly addressHash: string | null;
  readonly userAgentHash: string | null;
  readonly language: string | null;
}

/** The fact that a visitor was seen on a landing page. */
export function touchOf(of: TouchOf): TouchRecordedData {
  const { said, click, agent, place } = of;
  const { channel, type } = channelOf({ ...said, byPartner: click !== null && cameWith(said, click.id) });
  return {
    tenantId: of.tenantId,
    touchId: of.touchId,
    programId: of.programId,
    occurredAt: new Date(of.occurredAtMs).toISOString(),
    channel,
    channelType: type,
    utm: { ...said.utm },
    bot: agent.bot,
    deviceClass: agent.deviceClass,
    ...(click === null ? {} : { clickId: click.id, linkId: click.linkId, partnerId: click.partnerId }),
    ...present({ page: said.page, referrerHost: said.referrerHost, visitorId: of.visitorId, language: of.language }),
    ...present({ network: of.network, addressHash: of.addressHash, userAgentHash: of.userAgentHash, country: place.country }),
    ...(place.asn === null ? {} : { asn: place.asn, hosting: place.hosting, vpn: place.vpn }),
  };
}

/** A click id that a site remembers and sends with later pages says who came once, not how the visitor came now. */
const cameWith = (said: PixelSaid, clickId: string): boolean =>
  said.page === null || said.clickIdsOfPage.some(({ value }) => value === clickId);

function present(fields: Readonly<Record<string, string | null>>): Record<string, string> {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== null));
}
