import { defineEvent } from '../define';
import { ClickIdText, Flag, Instant, ListOf, OneOf, Optional, Pattern, Text, TextMap, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { SealedField } from './shared';

export const CHANNELS = ['direct', 'organic', 'paid', 'email', 'social', 'referral', 'other'] as const;

/** A visitor was seen on a landing page by the pixel. */
export class TouchRecordedData {
  @Uuid() tenantId!: string;
  @Uuid() touchId!: string;
  @Optional() @Uuid() programId?: string | null;
  @Instant() occurredAt!: string;
  @OneOf(CHANNELS) channel!: (typeof CHANNELS)[number];
  @Optional() @ClickIdText() clickId?: string | null;
  @Optional() @Text(64) visitorId?: string | null;
  @Optional() @Text(2048) page?: string | null;
  @Optional() @Text(253) referrerHost?: string | null;
  @TextMap(10, 255) utm!: Record<string, string>;
  /** The finer name of the channel, such as `paid_search` or `organic_social`. */
  @Optional() @Text(32) channelType?: string | null;
  /** Of the link of the click id, where there is one. */
  @Optional() @Uuid() linkId?: string | null;
  @Optional() @Uuid() partnerId?: string | null;
  @Optional() @Flag() bot?: boolean | null;
  /** /24 or /48 of the address; the address itself never leaves the edge. */
  @Optional() @Pattern(/^[0-9a-f.:]{2,43}\/\d{1,3}$/) network?: string | null;
  @Optional() @Text(64) addressHash?: string | null;
  @Optional() @Text(64) userAgentHash?: string | null;
  @Optional() @Text(32) deviceClass?: string | null;
  @Optional() @Pattern(/^[A-Z]{2}$/) country?: string | null;
  @Optional() @Whole(0, 4_294_967_295) asn?: number | null;
  @Optional() @Flag() hosting?: boolean | null;
  @Optional() @Flag() vpn?: boolean | null;
  @Optional() @Text(35) language?: string | null;
  @Optional() @ListOf(() => SealedField, 8) personal?: SealedField[] | null;
}

export const TouchRecorded = defineEvent<TouchRecordedData>({
  type: 'touch.recorded',
  version: 1,
  topic: TOPICS.touches,
  schema: TouchRecordedData,
  keyOf: (d) => d.touchId,
  idOf: (d) => d.touchId,
  timeOf: (d) => d.occurredAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    touchId: '55555555-5555-4555-8555-555555555555',
    occurredAt: '2026-01-31T12:00:02.000Z',
    channel: 'referral',
    clickId: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK',
    page: 'https://shop.example/spring',
    utm: { utm_source: 'partner', utm_medium: 'referral' },
  },
});
