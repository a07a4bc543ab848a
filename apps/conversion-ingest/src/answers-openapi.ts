import { REASON_CODES } from '@baton/contracts';
import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';

/** What the routes for facts and receipts answer, in OpenAPI 3.0. */
const uuid = { type: 'string', format: 'uuid' };
const nullable = <T extends object>(schema: T) => ({ ...schema, nullable: true });
const instant = { type: 'string', format: 'date-time' };
const minor = { type: 'integer', description: 'Minor units' };
const list = (items: object) => ({ type: 'array', items });
const object = (properties: Record<string, object>) => ({ type: 'object', required: Object.keys(properties), properties });
const code = { type: 'string', enum: Object.keys(REASON_CODES) };

const SAID = {
  receipt_id: nullable(uuid),
  verdict: { type: 'string', enum: ['accepted', 'validated', 'rejected'] },
  reason: code,
  kind: { type: 'string', enum: ['conversion', 'reversal', 'reversals', 'identity', 'verification', 'touch'] },
  received_at: instant,
};
const OF_FACT = {
  occurred_at: instant,
  dropped_evidence: { ...list(code), description: 'Why evidence was not believed' },
  test: { type: 'boolean' },
};
const MONEY = list(object({ currency: { type: 'string' }, amount_minor: minor }));
const TALLY = object({ conversions: { type: 'integer' }, partners: { type: 'integer' }, amounts: MONEY, rewards: MONEY });
/** Of one kind or another. */
const OF_KIND = {
  external_id: nullable({ type: 'string' }),
  conversion_id: uuid,
  program_id: nullable(uuid),
  referral_depth: { type: 'integer', minimum: 0 },
  pending_verification: { type: 'boolean' },
  fact_id: uuid,
  identity_id: uuid,
  verification_id: uuid,
  reversal_id: nullable({ type: 'string' }),
  amount_minor: nullable(minor),
  line_items: list({ type: 'object' }),
  selector: object({ by: { type: 'string' }, value: nullable({ type: 'string' }), event: nullable({ type: 'string' }) }),
  took_back: TALLY,
  would_take_back: TALLY,
  confirm_needed: { type: 'boolean' },
  already_taken_back: { type: 'integer' },
  stands: { type: 'boolean', description: 'It also takes what comes later' },
  reversals: list({ type: 'object' }),
};
export const FACT_ANSWER = {
  type: 'object',
  required: [...Object.keys(SAID), ...Object.keys(OF_FACT)],
  properties: { ...SAID, ...OF_FACT, ...OF_KIND },
};

const PROGRESS = {
  type: 'object',
  description: 'What has become of the conversion, as revisions arrive',
  properties: {
    attribution: nullable({
      type: 'object',
      properties: {
        revision: { type: 'integer' },
        outcome: { type: 'string' },
        reason: { type: 'string' },
        partner_ids: list(uuid),
        credits: list({ type: 'object' }),
        decided_at: instant,
      },
    }),
    fraud: nullable({
      type: 'object',
      properties: { decision: { type: 'string' }, score: { type: 'integer' }, reasons: list({ type: 'object' }), decided_at: instant },
    }),
    rewards: list({
      type: 'object',
      properties: { reward_id: uuid, partner_id: uuid, state: { type: 'string' }, amount_minor: minor, currency: { type: 'string' } },
    }),
    payout: nullable({ type: 'object', properties: { state: { type: 'string' }, paid: MONEY, changed_at: instant } }),
    net_amount_minor: nullable(minor),
    reversals: list({ type: 'object' }),
    stands: { type: 'boolean' },
    left_out: { type: 'integer', description: 'Conversions that came later and were left, above the cap' },
  },
};
export const RECEIPT = {
  type: 'object',
  required: Object.keys(SAID),
  properties: { ...SAID, ...OF_FACT, ...OF_KIND, progress: PROGRESS, problem: { $ref: '#/components/schemas/Problem' } },
};
const RECEIPTS = { type: 'object', required: ['receipts'], properties: { receipts: list(RECEIPT) } };

const HEADERS = {
  'Baton-Receipt': { description: 'The receipt’s id.', schema: uuid },
  'Baton-Verdict': { schema: { type: 'string', enum: ['accepted', 'duplicate', 'validated'] } },
  'Baton-Reason': { description: 'The reason code.', schema: { type: 'string' } },
  'Baton-Dropped-Evidence': { description: 'Reason codes of evidence that was not believed.', schema: { type: 'string' } },
};

/** The answers to one fact. */
export const AnswersFact = () =>
  applyDecorators(
    ApiResponse({ status: 201, description: 'Stored now.', headers: HEADERS, schema: FACT_ANSWER as never }),
    ApiResponse({
      status: 200,
      description: 'Stored before: the first answer to the letter; or validated, and not stored.',
      headers: {
        ...HEADERS,
        'Baton-Replayed': { description: 'Stored before.', schema: { type: 'string', enum: ['true'] } },
      },
      schema: FACT_ANSWER as never,
    }),
  );

export const AnswersReceipt = () => ApiResponse({ status: 200, description: 'The receipt.', schema: RECEIPT as never });
export const AnswersReceipts = () =>
  ApiResponse({ status: 200, description: 'Every receipt under the external id, oldest first.', schema: RECEIPTS as never });

export const AnswersKey = () =>
  ApiResponse({
    status: 200,
    description: 'What the key may do.',
    schema: object({
      id: uuid,
      scopes: list({ type: 'string' }),
      test: { type: 'boolean' },
      program_id: nullable(uuid),
      rate_limit: nullable(object({ requests: { type: 'integer' }, window_seconds: { type: 'integer' } })),
      allowed_addresses: nullable(list({ type: 'string' })),
      signed: { type: 'boolean' },
      expires_at: nullable(instant),
      last_used_at: nullable(instant),
    }) as never,
  });

export const AnswersDeepLink = () =>
  ApiResponse({
    status: 200,
    description: 'The click that led to this device, or why none is named.',
    schema: {
      type: 'object',
      required: ['matched', 'duplicate'],
      properties: {
        matched: { type: 'boolean' },
        duplicate: { type: 'boolean' },
        reason: { type: 'string', description: 'Where nothing matched' },
        click_id: { type: 'string' },
        deep_link: nullable({ type: 'string' }),
      },
    } as never,
  });
