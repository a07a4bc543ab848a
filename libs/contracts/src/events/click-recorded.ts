import { defineEvent } from '../define';
import { ClickIdText, Flag, Instant, ListOf, Optional, Pattern, Text, TextMap, Uuid, Whole } from '../fields';
import { TOPICS } from '../topics';
import { SealedField } from './shared';

/** A visitor followed a partner's link and was redirected with this click id. */
export class ClickRecordedData {
  @Uuid() tenantId!: string;
  @ClickIdText() clickId!: string;
  @Uuid() linkId!: string;
  /** The number inside the click id. */
  @Whole(1, 2 ** 40 - 1) linkNumber!: number;
  @Uuid() programId!: string;
  @Uuid() partnerId!: string;
  /** The milliseconds inside the click id. */
  @Instant() occurredAt!: string;
  /** Bots and prefetches are recorded, and earn nothing. */
  @Flag() bot!: boolean;
  @Flag() prefetch!: boolean;
  /** A bot that draws a preview of the link for a message or a post. */
  @Optional() @Flag() unfurler?: boolean | null;
  /** Asked with HEAD: nobody followed the link, and no click id was handed out. */
  @Optional() @Flag() head?: boolean | null;
  @TextMap(20, 255) subIds!: Record<string, string>;
  /** Where the visitor was sent, without the click id. */
  @Text(2048) destination!: string;
  /** /24 or /48 of the address; the address itself never leaves the edge. */
  @Optional() @Pattern(/^[0-9a-f.:]{2,43}\/\d{1,3}$/) network?: string | null;
  /** Keyed hash of the address. */
  @Optional() @Text(64) addressHash?: string | null;
  @Optional() @Text(64) userAgentHash?: string | null;
  @Optional() @Text(32) deviceClass?: string | null;
  @Optional() @Pattern(/^[A-Z]{2}$/) country?: string | null;
  @Optional() @Whole(0, 4_294_967_295) asn?: number | null;
  @Optional() @Flag() hosting?: boolean | null;
  @Optional() @Flag() vpn?: boolean | null;
  @Optional() @Text(253) referrerHost?: string | null;
  @Optional() @Text(35) language?: string | null;
  @Optional() @Text(64) visitorId?: string | null;
  /** UTM values as they came, before the convention was applied. */
  @Optional() @TextMap(10, 255) rawUtm?: Record<string, string> | null;
  /** The governed UTM values that the visitor was sent on with. */
  @Optional() @TextMap(10, 255) utm?: Record<string, string> | null;
  /** The tenant's own domain under which the link was followed. */
  @Optional() @Text(253) host?: string | null;
  /** `ios`, `android`, `windows`, `macos`, `linux`, `chromeos`. */
  @Optional() @Text(32) os?: string | null;
  @Optional() @ListOf(() => SealedField, 8) personal?: SealedField[] | null;
}

export const ClickRecorded = defineEvent<ClickRecordedData>({
  type: 'click.recorded',
  version: 1,
  topic: TOPICS.clicks,
  schema: ClickRecordedData,
  keyOf: (d) => d.clickId,
  idOf: (d) => d.clickId,
  timeOf: (d) => d.occurredAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    clickId: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK',
    linkId: '44444444-4444-4444-8444-444444444444',
    linkNumber: 1,
    programId: '22222222-2222-4222-8222-222222222222',
    partnerId: '33333333-3333-4333-8333-333333333333',
    occurredAt: '2026-01-31T12:00:00.000Z',
    bot: false,
    prefetch: false,
    subIds: { sid: 'newsletter' },
    destination: 'https://shop.example/spring?utm_source=partner&utm_medium=referral',
    network: '203.0.113.0/24',
    addressHash: 'b7f1c2',
    deviceClass: 'desktop',
    referrerHost: 'blog.example',
    language: 'en',
  },
});
