import { Pattern, Text } from '../fields';

export const CONVERSION_TYPES = ['lead', 'signup', 'sale', 'subscription_payment', 'custom'] as const;
export type ConversionType = (typeof CONVERSION_TYPES)[number];

export const IDENTIFIER_KINDS = ['customer_id', 'email_hash', 'visitor_id', 'click_id'] as const;
export type IdentifierKind = (typeof IDENTIFIER_KINDS)[number];

/** A personal field, encrypted under the person's key; erasing the key erases it everywhere. A slot: nothing fills it yet. */
export class SealedField {
  @Text(64) name!: string;
  @Text(64) keyId!: string;
  @Pattern(/^[A-Za-z0-9+/]{1,2048}={0,2}$/) ciphertext!: string;
}
