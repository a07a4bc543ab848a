import { channelOf, keptPage, MARKS, nameId, pageAt, type Referrer, type TouchRecordedData, isMail } from '@baton/contracts';
import { type Reception, type Refusal, type Unreadable, unreadable } from './claim';
import { clickEvidence } from './click';
import { present, said, timing } from './fields';
import { instantText } from './instant';
import { chooseProgram, type KnownProgram } from './program';

/** That a visitor came to a page, as a door's sender tells it, after its shape was checked. */
export interface TouchAsked {
  /** The sender's own id of it. */
  readonly touch_id: string;
  readonly page?: string | null;
  /** The page before; empty: there was none. Absent: nobody said. */
  readonly referrer?: string | null;
  readonly click_id?: string | null;
  readonly visitor_id?: string | null;
  readonly program_id?: string | null;
  readonly utm?: Record<string, string> | null;
  readonly language?: string | null;
  readonly occurred_at?: string | null;
}

/** A touch on its way to be sent. It has no receipt: whoever reads touches knows a repeat by its id. */
export interface TouchClaim {
  readonly kind: 'touch';
  readonly tenantId: string;
  readonly data: Omit<TouchRecordedData, 'programId' | 'linkId' | 'partnerId'>;
  readonly linkNumber: number | null;
  readonly namedProgramId: string | null;
  readonly keyProgramId: string | null;
  readonly test: boolean;
  readonly refusal: Refusal | null;
}

export interface KnownLink {
  readonly number: number;
  readonly id: string;
  readonly partnerId: string;
  readonly programId: string;
}

const HOST_MAX_LENGTH = 253;
const UTM_NAMES = ['source', 'medium', 'campaign', 'term', 'content', 'id'].map((name) => `utm_${name}`);
const VALUE_MAX_LENGTH = 255;

export function claimTouch(asked: TouchAsked, reception: Reception): TouchClaim | Unreadable {
  const time = timing(asked.occurred_at, reception.receivedAtMs);
  if ('kind' in time) return time;
  const page = pageAt(said(asked.page) ?? undefined);
  if (said(asked.page) !== null && page === null) return unreadable('malformed', 'page must be an http or https address.', 'page');
  const { clickId, linkNumber } = clickEvidence(reception.clickIdKeys, reception.tenantId, said(asked.click_id));
  const utm = utmOf(page, asked.utm ?? {});
  const referrer = referrerOf(asked.referrer, page);
  const byPartner = clickId !== null && (page === null || [...page.searchParams.values()].includes(clickId));
  const { channel, type: channelType } = channelOf({ referrer, utm, marks: marksOf(page), byPartner });
  return {
    kind: 'touch',
    tenantId: reception.tenantId,
    data: {
      tenantId: reception.tenantId,
      touchId: nameId('touch', reception.tenantId, reception.door, asked.touch_id),
      occurredAt: instantText(time.occurredAtMs),
      channel,
      channelType,
      utm,
      ...present({
        clickId,
        visitorId: said(asked.visitor_id),
        page: page && keptPage(page),
        referrerHost: referrer.kind === 'site' ? referrer.name : null,
        language: said(asked.language),
      }),
    },
    linkNumber,
    namedProgramId: said(asked.program_id),
    keyProgramId: reception.keyProgramId,
    test: reception.test,
    refusal: time.refusal,
  };
}

/** The fact with what the catalog knows of it, or why it is none. */
export function judgeTouch(
  claim: TouchClaim,
  programs: readonly KnownProgram[],
  links: readonly KnownLink[],
): { readonly data: TouchRecordedData } | { readonly refusal: Refusal } {
  if (claim.refusal) return { refusal: claim.refusal };
  const link = links.find(({ number }) => number === claim.linkNumber) ?? null;
  const choice = chooseProgram({ named: claim.namedProgramId, ofLink: link?.programId ?? null, ofKey: claim.keyProgramId, programs });
  if ('refusal' in choice) return choice;
  return { data: { ...claim.data, ...present({ programId: choice.programId, linkId: link?.id, partnerId: link?.partnerId }) } };
}

/** Somebody who comes from another page of the same site came from nowhere else. */
function referrerOf(referrer: string | null | undefined, page: URL | null): Referrer {
  if (referrer === undefined || referrer === null) return { kind: 'unknown' };
  if (referrer.trim() === '') return { kind: 'direct' };
  const host = pageAt(referrer)?.hostname ?? '';
  if (host === '' || host.length > HOST_MAX_LENGTH) return { kind: 'unknown' };
  return host === page?.hostname ? { kind: 'direct' } : { kind: 'site', name: host };
}

/** What is named goes before what the page's address says. */
function utmOf(page: URL | null, named: Readonly<Record<string, string>>): Record<string, string> {
  const values = UTM_NAMES.map((name) => [name, (named[name] ?? page?.searchParams.get(name) ?? '').replace(/\p{Cc}/gu, '')] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== '' && value.length <= VALUE_MAX_LENGTH && !isMail(value)));
}

const marksOf = (page: URL | null): Record<string, string> =>
  Object.fromEntries([...(page?.searchParams ?? [])].filter(([name, value]) => value !== '' && MARKS.includes(name.toLowerCase())));
