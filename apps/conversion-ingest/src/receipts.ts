import type { Database } from '@baton/platform';
import type { Answer } from './domain';
import type { FactStore } from './fact.store';

/** Receipts as one tenant may see them. */
export class Receipts {
  constructor(
    private readonly database: Database,
    private readonly facts: FactStore,
  ) {}

  one(tenantId: string, receiptId: string): Promise<Answer | null> {
    return this.database.transaction([tenantId], (tx) => this.facts.receipt(tx, receiptId));
  }

  ofExternalId(tenantId: string, externalId: string): Promise<Answer[]> {
    return this.database.transaction([tenantId], (tx) => this.facts.receiptsOf(tx, externalId));
  }
}
