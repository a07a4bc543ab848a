import type { Database, Tx } from '@baton/platform';
import { type Answer, conversionOfAnswer, NO_TIDINGS, progressOf } from './domain';
import type { FactStore } from './fact.store';
import type { ProgressStore } from './progress.store';
import type { RejectionStore } from './rejection.store';
import type { SelectionStore } from './selection.store';

export interface ReceiptParts {
  readonly database: Database;
  readonly facts: FactStore;
  readonly rejections: RejectionStore;
  readonly progress: ProgressStore;
  readonly selections: SelectionStore;
}

/** Enough of one request's reversals for a person to look at; each has a receipt of its own. */
const REVERSALS_MAX = 100;

/** Receipts as one tenant may see them: the first answer to the letter, and what has become of the conversion since. */
export class Receipts {
  constructor(private readonly parts: ReceiptParts) {}

  one(tenantId: string, receiptId: string): Promise<Answer | null> {
    const { database, facts, rejections } = this.parts;
    return database.transaction([tenantId], async (tx) => {
      const receipt = (await facts.receipt(tx, receiptId)) ?? (await rejections.receipt(tx, receiptId));
      if (receipt?.['kind'] === 'reversals' && receipt['verdict'] === 'accepted') return this.selectionFollowed(tx, receipt);
      return receipt && ((await this.followed(tx, [receipt]))[0] as Answer);
    });
  }

  ofExternalId(tenantId: string, externalId: string): Promise<Answer[]> {
    const { database, facts, rejections } = this.parts;
    return database.transaction([tenantId], async (tx) =>
      this.followed(tx, [...(await facts.receiptsOf(tx, externalId)), ...(await rejections.receiptsOf(tx, externalId))]),
    );
  }

  /** All that the request has taken back until now, and what has become of each. */
  private async selectionFollowed(tx: Tx, receipt: Answer): Promise<Answer> {
    const { facts, selections } = this.parts;
    const requestId = receipt['fact_id'] as string;
    const reversals = await this.followed(tx, await facts.receiptsOfRequest(tx, requestId, REVERSALS_MAX));
    const standing = await selections.standingOf(tx, requestId);
    return { ...receipt, progress: { reversals, stands: standing !== null, left_out: standing?.leftOut ?? 0 } };
  }

  private async followed(tx: Tx, answers: readonly Answer[]): Promise<Answer[]> {
    const ids = answers.map(conversionOfAnswer);
    const tidings = await this.parts.progress.of(tx, [...new Set(ids.filter((id) => id !== null))]);
    return answers.map((answer, i) => {
      const id = ids[i] ?? null;
      return id === null ? answer : { ...answer, progress: progressOf(tidings.get(id) ?? NO_TIDINGS, answer['test'] === true) };
    });
  }
}
