import { encode, type Outgoing, parse, type Received, VerdictGiven, type VerdictGivenData } from '@baton/contracts';
import { createLog, type Database, openDatabase, type Tx, writeOutbox } from '@baton/platform';
import { PostgresClickStore } from '../click.store';
import { fraudRoutes } from '../fraud-scoring.routes';
import { PostgresJudgementStore } from '../judgement.store';

const log = createLog('test', 'silent');

export type Wrap = (tx: Tx) => Tx;

export interface World {
  readonly database: Database;
  /** Takes facts as the consumer does: one transaction, each contract's events to its handler in the routes' order. Counts its attempts. */
  deliver(facts: readonly Outgoing[], wrap?: Wrap): Promise<{ readonly verdicts: VerdictGivenData[]; readonly attempts: number }>;
  close(): Promise<void>;
}

export const postgresStores = () => ({ clicks: new PostgresClickStore(), judgements: new PostgresJudgementStore() });

/** One replica's handlers on a pool of its own. */
export function world(url: string, stores: ReturnType<typeof postgresStores> = postgresStores()): World {
  const database = openDatabase({ url, poolMax: 8, log, pipelined: true, joinsByIndex: true });
  const routes = fraudRoutes({ ...stores, now: () => new Date('2026-03-02T00:00:00.000Z') });
  return {
    database,
    deliver: async (facts, wrap = (tx) => tx) => {
      // By way of the wire, so that handlers get what they get from Kafka.
      const events = facts.map((fact) => received(fact));
      let attempts = 0;
      const outgoing = await database.transaction([...new Set(events.map(({ data }) => data.tenantId))], async (tx) => {
        attempts++;
        const all: Outgoing[] = [];
        for (const route of routes) {
          const mine = events.filter(({ contract }) => contract.ceType === route.contract.ceType);
          if (mine.length > 0) all.push(...(await route.handle(mine, wrap(tx))));
        }
        await writeOutbox(tx, all);
        return all;
      });
      // What is published must be readable: what a reader of the topic gets is what the specs look at.
      const verdicts = outgoing.map((event) => received(event)).filter(({ contract }) => contract.ceType === VerdictGiven.ceType);
      return { verdicts: verdicts.map(({ data }) => data as VerdictGivenData), attempts };
    },
    close: () => database.close(),
  };
}

/** The newest verdict of each conversion, as every consumer takes it. Throws where two verdicts have one number. */
export function newestVerdicts(verdicts: readonly VerdictGivenData[]): Map<string, VerdictGivenData> {
  const newest = new Map<string, VerdictGivenData>();
  const numbers = new Set<string>();
  for (const verdict of verdicts) {
    const number = VerdictGiven.idOf(verdict);
    if (numbers.has(number)) throw new Error(`two verdicts are ${number}`);
    numbers.add(number);
    const before = newest.get(verdict.conversionId);
    const isNewer =
      !before ||
      verdict.attributionRevision > before.attributionRevision ||
      (verdict.attributionRevision === before.attributionRevision && verdict.verdictSeq > before.verdictSeq);
    if (isNewer) newest.set(verdict.conversionId, verdict);
  }
  return newest;
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
