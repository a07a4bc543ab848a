import { AttributionRevised, type AttributionRevisedData, encode, type Outgoing, parse, type Received } from '@baton/contracts';
import { createLog, type Database, isRouted, openDatabase, type Route, type Tx, writeOutbox } from '@baton/platform';
import { attributionRoutes } from '../attribution.routes';
import { RecheckSweep } from '../recheck.routes';
import { revising, type Stores } from '../revise';
import { KEYS } from './facts';

const log = createLog('test', 'silent');

export type Wrap = (tx: Tx) => Tx;

export interface World {
  readonly database: Database;
  readonly routes: readonly Route[];
  /** Takes facts as the consumer does: one transaction, each contract's events to its handler in the routes' order. Counts its attempts. */
  deliver(facts: readonly Outgoing[], wrap?: Wrap): Promise<{ readonly revised: AttributionRevisedData[]; readonly attempts: number }>;
  sweep(): Promise<number>;
  close(): Promise<void>;
}

/** One replica's handlers on a pool of its own. */
export function world(url: string, stores: Stores, pendingMs: number): World {
  const database = openDatabase({ url, poolMax: 8, log, pipelined: true, joinsByIndex: true });
  const revise = revising(stores, pendingMs);
  const routes = attributionRoutes({ stores, revise, keys: KEYS });
  const sweep = new RecheckSweep({ database, stores, revise, writeOutbox, committed: () => undefined, log });
  return {
    database,
    routes,
    deliver: async (facts, wrap = (tx) => tx) => {
      // By way of the wire, so that handlers get what they get from Kafka.
      const events = facts.map((fact) => received(fact));
      let attempts = 0;
      const outgoing = await database.transaction([...new Set(events.map(({ data }) => data.tenantId))], async (tx) => {
        attempts++;
        const all: Outgoing[] = [];
        for (const route of routes) {
          const mine = events.filter((event) => isRouted(route, event));
          if (mine.length > 0) all.push(...(await route.handle(mine, wrap(tx))));
        }
        await writeOutbox(tx, all);
        return all;
      });
      return {
        revised: outgoing
          .filter(({ contract }) => contract.ceType === AttributionRevised.ceType)
          .map(({ data }) => data as AttributionRevisedData),
        attempts,
      };
    },
    sweep: () => sweep.sweep(),
    close: () => database.close(),
  };
}

/** The newest content of each conversion, without its number and time, and the number of revisions that led to it. */
export async function newest({ database }: World, tenantIds: readonly string[]): Promise<Map<string, AttributionRevisedData>> {
  const rows = await database.transaction(tenantIds, (tx) =>
    tx.$queryRawUnsafe<{ content: AttributionRevisedData }[]>(
      'SELECT DISTINCT ON (tenant_id, conversion_id) content FROM attributions ORDER BY tenant_id, conversion_id, revision DESC',
    ),
  );
  return new Map(rows.map(({ content }) => [content.conversionId, content]));
}

/** Holds a transaction before its nth statement until `go` is called. */
export function heldAt(statement: number): { readonly wrap: Wrap; readonly reached: Promise<void>; readonly go: () => void } {
  let go = (): void => undefined;
  let arrive = (): void => undefined;
  const gate = new Promise<void>((resolve) => (go = resolve));
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  let count = 0;
  const step = async (): Promise<void> => {
    if (count++ !== statement) return;
    arrive();
    await gate;
  };
  const wrap: Wrap = (tx) => ({
    $queryRawUnsafe: async (sql, ...values) => {
      await step();
      return tx.$queryRawUnsafe(sql, ...values);
    },
    $executeRawUnsafe: async (sql, ...values) => {
      await step();
      return tx.$executeRawUnsafe(sql, ...values);
    },
  });
  return { wrap, reached, go };
}

function received(fact: Outgoing): Received {
  const { key, value, headers } = encode(fact);
  return parse(fact.contract.topic, { key, value: Buffer.from(value), headers });
}
