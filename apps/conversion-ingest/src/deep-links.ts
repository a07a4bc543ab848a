import type { ClickIdKeys } from '@baton/contracts';
import { counter, type Database, type Tx } from '@baton/platform';
import type { DeepLinkStore, KnownLink } from './deep-link.store';
import { deviceHash } from './device-hash';
import { type DeepLinkAsked, deepLinkFound, type DeepLinkFound, type DeepLinkReading, type DeepLinkReason, readDeepLink } from './domain';

export interface DeepLinksParts {
  /** The api role: the database itself keeps a claim to its one tenant. */
  readonly database: Database;
  readonly store: DeepLinkStore;
  readonly clickIdKeys: ClickIdKeys;
  readonly deviceHashKey: string;
  readonly now: () => number;
}

/** `duplicate`: the same device asked again, and this is what it was told. */
export type DeepLinkAnswer =
  | (DeepLinkFound & { readonly duplicate: boolean })
  | { readonly matched: false; readonly reason: DeepLinkReason; readonly duplicate: false };
type Named = Extract<DeepLinkReading, { kind: 'named' }>;

/** Which click led a newly installed app to its device: by evidence, once for each click. */
export class DeepLinks {
  private readonly claims = counter('baton_deep_link_claims_total', 'Apps that asked which click led to them, by outcome', ['outcome']);

  constructor(private readonly parts: DeepLinksParts) {}

  async claim(tenantId: string, asked: DeepLinkAsked & { readonly device_id: string }): Promise<DeepLinkAnswer> {
    const answer = await this.parts.database.transaction([tenantId], (tx) => this.within(tx, tenantId, asked));
    this.claims.inc({ outcome: answer.matched ? (answer.duplicate ? 'duplicate' : 'matched') : answer.reason });
    return answer;
  }

  private async within(tx: Tx, tenantId: string, asked: DeepLinkAsked & { readonly device_id: string }): Promise<DeepLinkAnswer> {
    const { store, clickIdKeys, deviceHashKey, now } = this.parts;
    const nowMs = now();
    const programs = await store.programs(tx, tenantId);
    const landingParams = programs.map(({ landingParam }) => landingParam);
    const reading = readDeepLink(asked, { tenantId, nowMs, clickIdKeys, landingParams });
    if (reading.kind === 'refused') return none(reading.reason);
    const device = deviceHash(deviceHashKey, tenantId, asked.device_id);
    const known = await store.linkOf(tx, tenantId, reading.linkNumber);
    const told = (named: Pick<Named, 'clickId' | 'match'>): DeepLinkFound =>
      deepLinkFound(named, { ...known, ...programOf(known, programs) });
    if (reading.refusal === null) {
      const { clickId, linkNumber, match } = reading;
      const answer = known.link ? told(reading) : null;
      const isFirst = await store.insert(tx, { tenantId, clickId, linkNumber, match, deviceHash: device, answer, claimedAtMs: nowMs });
      if (isFirst) return { ...told(reading), duplicate: false };
    }
    // In a statement of its own, so that it sees a claim that was committed while the insert waited.
    const stored = await store.ofClick(tx, tenantId, reading.clickId);
    if (stored?.deviceHash !== device) return none(reading.refusal ?? 'already_claimed');
    return { ...(stored.answer ?? told({ clickId: reading.clickId, match: stored.match })), duplicate: true };
  }
}

const none = (reason: DeepLinkReason): DeepLinkAnswer => ({ matched: false, reason, duplicate: false });

function programOf<T extends { readonly id: string }>({ link }: KnownLink, programs: readonly T[]): { readonly program?: T } {
  const program = programs.find(({ id }) => id === link?.programId);
  return program ? { program } : {};
}
