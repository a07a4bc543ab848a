import { incompatibilities } from './compatibility';
import type { EventContract } from './define';
import type { JsonSchema } from './fields';

/** What was published of an event: `frozen/<ceType>.json`. */
export interface Frozen {
  readonly schema: JsonSchema;
  /** The first sample ever published: it still parses. */
  readonly sample: object;
}

export const frozenFile = (contract: EventContract): string => `${contract.ceType}.json`;

/**
 * What to freeze of a contract now; `before` is what is frozen already, if anything. Optional additions are taken in, so that they too are
 * held to from now on. Throws, with every break, where the contract no longer keeps what was published.
 */
export function frozenOf(contract: EventContract, before?: Frozen): Frozen {
  const schema = contract.jsonSchema();
  const breaks = before ? incompatibilities(before.schema, schema) : [];
  if (breaks.length > 0) {
    throw new Error(
      `${contract.ceType} is published and may not change like this:\n- ${breaks.join('\n- ')}\nTake the change back, or define a new version beside it.`,
    );
  }
  return { schema, sample: before?.sample ?? contract.sample };
}

/** The bytes of a frozen file. */
export const frozenText = (frozen: Frozen): string => `${JSON.stringify(frozen, null, 2)}\n`;
