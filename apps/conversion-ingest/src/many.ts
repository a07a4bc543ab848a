import { type Caller, type Problem, problemBody } from '@baton/platform';
import type { Intake, Manner, Told } from './intake';
import type { Posted } from './posted';

/** As many as share one transaction: more at once would only wait in each other's way, and in the way of single requests. */
const AT_ONCE = 200;

/**
 * Many facts of one request, each with the verdict that it would have had alone, in order. Those that speak of one order go one after the other,
 * so that the first of them holds whatever else is under way. Never throws.
 */
export async function takeMany(
  intake: Intake,
  caller: Caller,
  posted: readonly Posted[],
  { idempotencyKey = null, ...manner }: Manner,
): Promise<Told[]> {
  const told: Told[] = [];
  for (const wave of wavesOf(posted)) {
    for (let at = 0; at < wave.length; at += AT_ONCE) {
      const portion = wave.slice(at, at + AT_ONCE);
      const keyOf = (i: number): string | null => (idempotencyKey === null ? null : `${idempotencyKey}#${i}`);
      const answers = await Promise.all(
        portion.map((i) => intake.take(caller, posted[i] as Posted, { ...manner, idempotencyKey: keyOf(i) })),
      );
      portion.forEach((i, n) => (told[i] = answers[n] as Told));
    }
  }
  return told;
}

/** First those that are the first of their order, then the second ones, and so on: places in `posted`. */
function wavesOf(posted: readonly Posted[]): number[][] {
  const waves: number[][] = [];
  const times = new Map<string, number>();
  posted.forEach(({ body }, i) => {
    const { external_id: externalId } = (body ?? {}) as { readonly external_id?: unknown };
    // Without an id of an order it is told by all that it says.
    const key = typeof externalId === 'string' ? `o ${externalId}` : `b ${JSON.stringify(body)}`;
    const wave = times.get(key) ?? 0;
    times.set(key, wave + 1);
    (waves[wave] ??= []).push(i);
  });
  return waves;
}

/** What a single request would have been answered, as one of many: its status, and its verdict among the rest. */
export function verdictOf(told: Told): Record<string, unknown> {
  if (told.kind === 'rejected') {
    const { status, ...body } = problemBody(told.problem);
    return { status, verdict: 'rejected', reason: told.problem.code, ...body, receipt_id: told.receiptId };
  }
  // The first answer to the letter would call a repeat accepted.
  const { receipt_id: receiptId, verdict: _verdict, reason: _reason, ...answer } = told.answer;
  return {
    status: told.kind === 'accepted' ? 201 : 200,
    verdict: told.kind,
    reason: told.kind,
    receipt_id: receiptId,
    ...answer,
  };
}

/** Only of what the world is to blame for. */
export const isToBeSentAgain = (told: Told): told is Told & { readonly problem: Problem } =>
  told.kind === 'rejected' && (told.problem.code === 'unavailable' || told.problem.code === 'over_quota');
