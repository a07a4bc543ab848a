import type { Database } from '@baton/platform';
import type { Answer } from './domain';
import type { FactStore } from './fact.store';
import type { RejectionStore } from './rejection.store';

/** Receipts as one tenant may see them. */
export class Receipts {
  constructor(
    private readonly database: Database,
    private readonly facts: FactStore,
    private readonly rejections: RejectionStore,
  ) {}

  one(tenantId: string, receiptId: string): Promise<Answer | null> {
    return this.database.transaction(
      [tenantId],
      async (tx) => (await this.facts.receipt(tx, receiptId)) ?? this.rejections.receipt(tx, receiptId),
    );
  }

  ofExternalId(tenantId: string, externalId: string): Promise<Answer[]> {
    return this.database.transaction([tenantId], async (tx) => [
      ...(await this.facts.receiptsOf(tx, externalId)),
      ...(await this.rejections.receiptsOf(tx, externalId)),
    ]);
  }
}
