/** Why a message cannot be read; each is a dead letter's `baton_dlq_reason` and a metric label. */
export const INVALID_EVENT_REASONS = [
  'null_value',
  'empty',
  'too_large',
  'not_json',
  'too_deep',
  'forbidden_key',
  'not_an_object',
  'unknown_type',
  'unknown_version',
  'wrong_tenant',
  'wrong_key',
  'wrong_id',
  'schema',
  'handler',
] as const;
export type InvalidEventReason = (typeof INVALID_EVENT_REASONS)[number];

/** A message that no retry can mend. The consumer makes it a dead letter. */
export class InvalidEvent extends Error {
  override readonly name = 'InvalidEvent';
  constructor(
    readonly reason: InvalidEventReason,
    detail: string,
  ) {
    super(`${reason}: ${detail}`);
  }
}
