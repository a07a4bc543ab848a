import { emit, type Outgoing, TouchRecorded } from '@baton/contracts';
import { type Tx, writeOutbox } from '@baton/platform';
import { judgeTouch, type TouchClaim } from './domain';
import type { Outcome } from './settle';
import type { TouchStore } from './touch.store';

/** A touch to be sent with its group. */
export interface PendingTouch {
  readonly touch: TouchClaim;
  readonly traceparent: string;
}

/** Sends a group's touches by way of the outbox. Nothing else of them is stored: one that comes again is sent again, under the same id. */
export async function sendTouches(
  tx: Tx,
  store: TouchStore,
  tenantId: string,
  pending: readonly PendingTouch[],
): Promise<Map<PendingTouch, Outcome>> {
  if (pending.length === 0) return new Map();
  const { programs, links } = await store.known(
    tx,
    tenantId,
    pending.map(({ touch }) => touch),
  );
  const events: (Outgoing & { readonly traceparent: string })[] = [];
  const outcomes = pending.map((one): [PendingTouch, Outcome] => {
    const judged = judgeTouch(one.touch, programs, links);
    if ('refusal' in judged) return [one, { kind: 'refused', refusal: judged.refusal, receiptId: null }];
    const { touchId, programId = null, occurredAt } = judged.data;
    const answer = { kind: 'touch', touch_id: touchId, program_id: programId, occurred_at: occurredAt, test: one.touch.test };
    // A touch cannot say that it is a trial, so one of a test key goes nowhere.
    if (one.touch.test) return [one, { kind: 'validated', answer }];
    events.push({ ...emit(TouchRecorded, judged.data), traceparent: one.traceparent });
    return [one, { kind: 'accepted', receiptId: '', answer }];
  });
  await writeOutbox(tx, events);
  return new Map(outcomes);
}
