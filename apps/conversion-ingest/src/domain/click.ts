import { type ClickIdKeys, verifyClickId } from '@baton/contracts';

export interface ClickEvidence {
  /** Verified. */
  readonly clickId: string | null;
  readonly linkNumber: number | null;
  readonly occurredAtMs: number | null;
  /** Why it is not believed: not one of Baton's at all, or one that was altered or is another tenant's. */
  readonly disbelief: 'click_unknown' | 'click_forged' | null;
}

const FIRST_MS = Date.UTC(2000, 0, 1);
const LAST_MS = Date.UTC(2200, 0, 1);
const SHAPE = /^[A-Za-z0-9_-]{32}$/;
const NONE: ClickEvidence = { clickId: null, linkNumber: null, occurredAtMs: null, disbelief: null };

/** What a click id proves. Another tenant's id is a forged one. */
export function clickEvidence(keys: ClickIdKeys, tenantId: string, clickId: string | null): ClickEvidence {
  if (clickId === null) return NONE;
  if (!SHAPE.test(clickId)) return { ...NONE, disbelief: 'click_unknown' };
  const check = verifyClickId(keys, tenantId, clickId);
  // Events carry years 2000 to 2199 and links count from 1: an id outside was signed by mistake and proves nothing.
  const believed =
    check.kind === 'valid' && check.id.linkNumber >= 1 && check.id.occurredAtMs >= FIRST_MS && check.id.occurredAtMs < LAST_MS;
  return believed
    ? { clickId, linkNumber: check.id.linkNumber, occurredAtMs: check.id.occurredAtMs, disbelief: null }
    : { ...NONE, disbelief: 'click_forged' };
}
