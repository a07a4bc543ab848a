import type { ClickRecordedData } from '@baton/contracts';
import { mergedSubIds, type Passed } from './query';
import type { Visitor } from './visitor';

const DESTINATION_MAX_LENGTH = 2048;

export interface ClickOf {
  readonly clickId: string;
  readonly occurredAtMs: number;
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
  readonly visitor: Visitor;
  readonly network: string | null;
  readonly addressHash: string | null;
  readonly userAgentHash: string | null;
}

/** The fact that is recorded before the visitor is sent on. */
export function clickOf({
  clickId,
  occurredAtMs,
  link,
  destination,
  passed,
  visitor,
  network,
  addressHash,
  userAgentHash,
}: ClickOf): ClickRecordedData {
  return {
    tenantId: link.tenantId,
    clickId,
    linkId: link.id,
    linkNumber: link.number,
    programId: link.programId,
    partnerId: link.partnerId,
    occurredAt: new Date(occurredAtMs).toISOString(),
    bot: visitor.bot,
    prefetch: visitor.prefetch,
    subIds: mergedSubIds(link.subIds, passed.subIds),
    // Our own parameters may have made it longer than the contract takes; the record is for people, not for sending.
    destination: destination.slice(0, DESTINATION_MAX_LENGTH),
    deviceClass: visitor.deviceClass,
    ...(network === null ? {} : { network }),
    ...(addressHash === null ? {} : { addressHash }),
    ...(userAgentHash === null ? {} : { userAgentHash }),
    ...(visitor.referrerHost === null ? {} : { referrerHost: visitor.referrerHost }),
    ...(visitor.language === null ? {} : { language: visitor.language }),
    ...(Object.keys(passed.rawUtm).length === 0 ? {} : { rawUtm: passed.rawUtm }),
  };
}
