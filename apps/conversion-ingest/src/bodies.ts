import { CONVERSION_TYPES, type ConversionType, Flag, ListOf, OneOf, Optional, Text, TextMap, Whole } from '@baton/contracts';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Allow, Matches } from 'class-validator';

/** Shapes alone. What has a reason code of its own (amounts, currency, time, evidence) is judged by the domain. An empty optional text counts as absent. */
const EMAIL = /^\s*(?:[^\s@]+@[^\s@]+)?\s*$/;
const UUID_OR_EMPTY = /^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$/;
const IsEmail = () => Matches(EMAIL, { message: 'email must look like name@host' });

export class LineItemBody {
  @ApiPropertyOptional({ maxLength: 128 }) @Optional() @Text(128, 0) sku?: string | null;
  @ApiPropertyOptional({ maxLength: 128 }) @Optional() @Text(128, 0) category?: string | null;
  @ApiPropertyOptional({ minimum: 1, default: 1 }) @Optional() @Whole(1, 1_000_000) quantity?: number | null;
  @ApiProperty({ type: 'integer', minimum: 0, description: 'Minor units of the conversion’s currency.' }) @Allow() amount_minor?: unknown;
}

export class ConversionBody {
  @ApiProperty({ maxLength: 255, description: 'Your id of the order, unique in your account: a repeat gets the first receipt.' })
  @Text(255)
  external_id!: string;
  @ApiPropertyOptional({ description: 'As it arrived on your landing page.' }) @Optional() @Text(255, 0) click_id?: string | null;
  @ApiPropertyOptional({ maxLength: 255 }) @Optional() @Text(255, 0) customer_id?: string | null;
  @ApiPropertyOptional({ description: 'Hashed on arrival; never stored or logged.' }) @Optional() @Text(320, 0) @IsEmail() email?:
    string | null;
  @ApiPropertyOptional({ maxLength: 64 }) @Optional() @Text(64, 0) visitor_id?: string | null;
  @ApiPropertyOptional({ format: 'uuid' })
  @Optional()
  @Matches(UUID_OR_EMPTY, { message: 'program_id must be a UUID in small letters' })
  program_id?: string | null;
  @ApiPropertyOptional({ enum: CONVERSION_TYPES, default: 'sale' }) @Optional() @OneOf(CONVERSION_TYPES) type?: ConversionType | null;
  @ApiPropertyOptional({ maxLength: 255, description: 'Your id of the order, where one order has several conversions.' })
  @Optional()
  @Text(255, 0)
  order_id?: string | null;
  @ApiPropertyOptional({ maxLength: 128, example: 'trial_started', description: 'What you call it.' }) @Optional() @Text(128, 0) event?:
    string | null;
  @ApiPropertyOptional({
    description: 'Of a signup or lead: it is worth nothing until POST /v1/verifications names it.',
  })
  @Optional()
  @Flag()
  pending_verification?: boolean | null;
  @ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    description: 'Gross, in minor units. Needed for sale and subscription_payment; the others may leave amount and currency out.',
  })
  @Allow()
  amount_minor?: unknown;
  @ApiPropertyOptional({ type: 'string', example: 'EUR', description: 'ISO 4217; with the amount, or not at all.' })
  @Allow()
  currency?: unknown;
  @ApiPropertyOptional({ minimum: 1 }) @Optional() @Whole(1, 1_000_000) quantity?: number | null;
  @ApiPropertyOptional({ type: () => [LineItemBody], maxItems: 100 }) @Optional() @ListOf(() => LineItemBody, 100) line_items?:
    LineItemBody[] | null;
  @ApiPropertyOptional({
    format: 'date-time',
    description: 'RFC 3339 with any offset; the time of receipt when absent. At most 400 days back.',
  })
  @Optional()
  @Text(64, 0)
  occurred_at?: string | null;
  @ApiPropertyOptional({ maxLength: 128 }) @Optional() @Text(128, 0) coupon_code?: string | null;
  @ApiPropertyOptional({ maxLength: 128 }) @Optional() @Text(128, 0) referral_code?: string | null;
  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } }) @Optional() @TextMap(20, 255) sub_ids?: Record<
    string,
    string
  > | null;
  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' } }) @Optional() @TextMap(25, 500) metadata?: Record<
    string,
    string
  > | null;
}

export class ReturnedLineBody {
  @ApiProperty({ maxLength: 128, description: 'As the conversion’s line item names it.' }) @Text(128) sku!: string;
  @ApiPropertyOptional({ minimum: 1, description: 'Absent: all that is left of the line. A quantity needs reversal_id.' })
  @Optional()
  @Whole(1, 1_000_000)
  quantity?: number | null;
}

/** What is taken back, of whatever it is. */
class ReversalWhat {
  @ApiPropertyOptional({ type: () => [ReturnedLineBody], maxItems: 100, description: 'Takes back these lines alone.' })
  @Optional()
  @ListOf(() => ReturnedLineBody, 100)
  line_items?: ReturnedLineBody[] | null;
  @ApiPropertyOptional({ description: 'Needed with email, and above the account’s cap.' }) @Optional() @Flag() confirm?: boolean | null;
  @ApiPropertyOptional({ description: 'Tells how much it would take back, and stores nothing.' }) @Optional() @Flag() dry_run?:
    boolean | null;
  @ApiPropertyOptional({ maxLength: 255, description: 'Your id of the refund; needed when it is a partial one.' })
  @Optional()
  @Text(255, 0)
  reversal_id?: string | null;
  @ApiPropertyOptional({ type: 'integer', minimum: 1, description: 'Minor units; absent: all that is left.' })
  @Allow()
  amount_minor?: unknown;
  @ApiPropertyOptional({ type: 'string', example: 'EUR' }) @Allow() currency?: unknown;
  @ApiPropertyOptional({ maxLength: 200 }) @Optional() @Text(200, 0) reason?: string | null;
  @ApiPropertyOptional({ format: 'date-time' }) @Optional() @Text(64, 0) occurred_at?: string | null;
}

/** By the conversion's own id. For the description alone: `ReversalBody` is what is read. */
export class ReversalByIdBody extends ReversalWhat {
  @ApiProperty({ maxLength: 255, description: 'Your id of the conversion that is taken back; it may arrive later.' })
  @Text(255)
  external_id!: string;
}

/** By something else: exactly one of receipt_id, order_id, click_id, customer_id, email. */
export class ReversalBody extends ReversalWhat {
  // Described in `ReversalByIdBody`, where it is needed.
  @Optional() @Text(255, 0) external_id?: string | null;
  @ApiPropertyOptional({ format: 'uuid', description: 'The receipt of the conversion.' })
  @Optional()
  @Matches(UUID_OR_EMPTY, { message: 'receipt_id must be a UUID in small letters' })
  receipt_id?: string | null;
  @ApiPropertyOptional({ maxLength: 255, description: 'All conversions of the order, those that arrive later too.' })
  @Optional()
  @Text(255, 0)
  order_id?: string | null;
  @ApiPropertyOptional({ maxLength: 255, description: 'All conversions of the click, those that arrive within a day too.' })
  @Optional()
  @Text(255, 0)
  click_id?: string | null;
  @ApiPropertyOptional({ maxLength: 128, description: 'With click_id: only conversions of this event or type.' })
  @Optional()
  @Text(128, 0)
  event?: string | null;
  @ApiPropertyOptional({ maxLength: 255, description: 'All conversions of the customer that were received.' })
  @Optional()
  @Text(255, 0)
  customer_id?: string | null;
  @ApiPropertyOptional({ description: 'All conversions under the address that were received; needs confirm. Hashed on arrival.' })
  @Optional()
  @Text(320, 0)
  @IsEmail()
  email?: string | null;
}

export class VerificationBody {
  @ApiProperty({ maxLength: 255, description: 'Your id of the conversion that is verified; it may arrive later.' })
  @Text(255)
  external_id!: string;
  @ApiPropertyOptional({ format: 'date-time' }) @Optional() @Text(64, 0) occurred_at?: string | null;
}

export class IdentityBody {
  @ApiPropertyOptional() @Optional() @Text(255, 0) click_id?: string | null;
  @ApiPropertyOptional({ maxLength: 255 }) @Optional() @Text(255, 0) customer_id?: string | null;
  @ApiPropertyOptional({ description: 'Hashed on arrival; never stored or logged.' }) @Optional() @Text(320, 0) @IsEmail() email?:
    string | null;
  @ApiPropertyOptional({ maxLength: 64 }) @Optional() @Text(64, 0) visitor_id?: string | null;
  @ApiPropertyOptional({ format: 'date-time' }) @Optional() @Text(64, 0) occurred_at?: string | null;
}

/** From doors alone; no route of our own takes it. */
export class TouchBody {
  @Text(255) touch_id!: string;
  @Optional() @Text(8192, 0) page?: string | null;
  @Optional() @Text(8192, 0) referrer?: string | null;
  @Optional() @Text(255, 0) click_id?: string | null;
  @Optional() @Text(64, 0) visitor_id?: string | null;
  @Optional() @Matches(UUID_OR_EMPTY, { message: 'program_id must be a UUID in small letters' }) program_id?: string | null;
  @Optional() @TextMap(10, 1024) utm?: Record<string, string> | null;
  @Optional() @Text(35, 0) language?: string | null;
  @Optional() @Text(64, 0) occurred_at?: string | null;
}

const SECONDS_MAX = 99_999_999_999;
const Seconds = () => Whole(0, SECONDS_MAX);
const OfReferrer = (whose: string) =>
  ApiPropertyOptional({
    type: 'integer',
    minimum: 0,
    description: `As the Play Store’s install referrer tells it, ${whose}; 0: not told.`,
  });

export class DeepLinkBody {
  @ApiPropertyOptional({ maxLength: 4096, description: 'As the Play Store gives it: click_id=…&utm_source=…' })
  @Optional()
  @Text(4096, 0)
  install_referrer?: string | null;
  @ApiPropertyOptional({ maxLength: 4096, description: 'The code that a person pasted.' }) @Optional() @Text(4096, 0) token?: string | null;
  @ApiProperty({ maxLength: 255, description: 'Your app’s own id of its installation. Hashed on arrival; never stored or logged.' })
  @Text(255)
  device_id!: string;
  @OfReferrer('by the device’s clock') @Optional() @Seconds() referrer_click_timestamp_seconds?: number | null;
  @OfReferrer('by the device’s clock') @Optional() @Seconds() install_begin_timestamp_seconds?: number | null;
  @OfReferrer('by the store’s clock') @Optional() @Seconds() referrer_click_timestamp_server_seconds?: number | null;
  @OfReferrer('by the store’s clock') @Optional() @Seconds() install_begin_timestamp_server_seconds?: number | null;
}
