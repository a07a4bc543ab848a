import { defineEvent } from '../define';
import { Instant, ListOf, OneOf, Text, Uuid } from '../fields';
import { TOPICS } from '../topics';
import { IDENTIFIER_KINDS, type IdentifierKind } from './shared';

export class Identifier {
  @OneOf(IDENTIFIER_KINDS) kind!: IdentifierKind;
  @Text(255) value!: string;
}

/** The advertiser says that these identifiers are one person. */
export class IdentityLinkedData {
  @Uuid() tenantId!: string;
  @Uuid() identityId!: string;
  /** At least two, sorted by kind and value. */
  @ListOf(() => Identifier, 8) identifiers!: Identifier[];
  @Instant() occurredAt!: string;
  @Instant() receivedAt!: string;
  @Uuid() receiptId!: string;
}

/** `kind:value`; the order of these strings is the order of identifiers everywhere. */
export const identifierText = (identifier: Identifier): string => `${identifier.kind}:${identifier.value}`;

export const IdentityLinked = defineEvent<IdentityLinkedData>({
  type: 'identity.linked',
  version: 1,
  topic: TOPICS.identities,
  schema: IdentityLinkedData,
  keyOf: (d) => `${d.tenantId}:${d.identifiers.map(identifierText).sort()[0] ?? ''}`,
  idOf: (d) => d.identityId,
  timeOf: (d) => d.occurredAt,
  sample: {
    tenantId: '11111111-1111-4111-8111-111111111111',
    identityId: 'aaaaaaaa-aaaa-8aaa-8aaa-aaaaaaaaaaaa',
    identifiers: [
      { kind: 'click_id', value: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK' },
      { kind: 'customer_id', value: 'customer-17' },
    ],
    occurredAt: '2026-01-31T12:04:00.000Z',
    receivedAt: '2026-01-31T12:04:00.200Z',
    receiptId: 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb',
  },
});
