/** As many headers, and as long, as conversion-ingest answers with. */
export const HEADERS = {
  'X-Request-Id': '9f0c7a52-3d5e-4b8f-9f25-6e1c90c1a7de',
  'Baton-Verdict': 'accepted',
  'Baton-Reason': 'accepted',
  'Baton-Receipt': '1d3a4c7e-88a1-4f2b-a9fd-20c8a6a2f6b3',
  'Content-Type': 'application/json; charset=utf-8',
};

/** As long as a receipt. */
export const receiptOf = (receiptId, externalId) =>
  JSON.stringify({
    receipt_id: receiptId,
    verdict: 'accepted',
    reason: 'accepted',
    kind: 'conversion',
    external_id: externalId,
    conversion_id: '5b6f9a3e-1f70-8c0d-b1d4-7a7f1a0be1c2',
    program_id: '20000000-0000-4000-8000-000000000000',
    received_at: '2026-01-01T00:00:00.000Z',
    dropped_evidence: [],
    test: false,
  });

const text = (maxLength, minLength = 0) => ({ type: ['string', 'null'], minLength, maxLength });
const whole = (minimum) => ({ type: 'integer', minimum, maximum: Number.MAX_SAFE_INTEGER });

/** The body of a conversion, as our own edge checks its shape. */
export const SCHEMA = {
  type: 'object',
  additionalProperties: false,
  required: ['external_id', 'amount_minor', 'currency'],
  properties: {
    external_id: { type: 'string', minLength: 1, maxLength: 255 },
    click_id: text(255),
    customer_id: text(255),
    email: { ...text(320), pattern: '^\\s*(?:[^\\s@]+@[^\\s@]+)?\\s*$' },
    visitor_id: text(64),
    program_id: { type: ['string', 'null'], pattern: '^(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$' },
    type: { enum: ['sale', 'lead', 'signup', 'subscription_payment', 'custom'] },
    order_id: text(255),
    event: text(128),
    amount_minor: whole(0),
    currency: { type: 'string', pattern: '^[A-Z]{3}$' },
    quantity: whole(1),
    line_items: {
      type: 'array',
      maxItems: 100,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['amount_minor'],
        properties: { sku: text(128), category: text(128), quantity: whole(1), amount_minor: whole(0) },
      },
    },
    occurred_at: text(64),
    coupon_code: text(128),
    referral_code: text(128),
    sub_ids: { type: 'object', maxProperties: 20, additionalProperties: { type: 'string', maxLength: 255 } },
    metadata: { type: 'object', maxProperties: 25, additionalProperties: { type: 'string', maxLength: 500 } },
  },
};
