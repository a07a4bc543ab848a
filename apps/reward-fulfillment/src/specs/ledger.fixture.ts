import {
  type EventContract,
  type PlanData,
  PlanChanged,
  type ProgramData,
  ProgramChanged,
  type Received,
  type RewardChangedData,
  type TenantData,
  type VerdictGivenData,
  VerdictGiven,
} from '@baton/contracts';
import { createLog, type Database, openDatabase, type Route, type Tx, writeOutbox } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { PostgresConversionStore } from '../conversion.store';
import { Invariants } from '../invariants';
import { PostgresLedgerStore } from '../ledger.store';
import { rewardRoutes } from '../reward-fulfillment.routes';
import { PostgresRevisitStore } from '../revisit.store';
import type { Settling } from '../settlement';
import { Sweep } from '../sweep';
import { aPlan, aProgram, aVerdict, type VerdictWords } from './samples';

const log = createLog('test', 'silent');

interface Urls {
  readonly worker: string;
  readonly api: string;
  readonly adminUrl: string;
}

/** The service on a real database, driven through its routes; its clock is set by hand. */
export class LedgerFixture {
  nowMs = Date.parse('2026-02-02T00:00:00.000Z');
  worker!: Database;
  api!: Database;
  admin!: Database;
  readonly settling: Settling = {
    conversions: new PostgresConversionStore(),
    ledger: new PostgresLedgerStore(),
    revisits: new PostgresRevisitStore(),
    now: () => this.nowMs,
  };

  open(urls: Urls): void {
    this.worker = openDatabase({ url: urls.worker, poolMax: 8, log });
    this.api = openDatabase({ url: urls.api, poolMax: 4, log });
    this.admin = openDatabase({ url: urls.adminUrl, poolMax: 2, log });
  }

  async close(): Promise<void> {
    await Promise.all([this.worker, this.api, this.admin].map((database) => database.close()));
  }

  /** A tenant with a program and a plan of ten per cent of a sale, whose ids are its own. */
  tenant() {
    const tenantId = randomUUID();
    const programId = randomUUID();
    const planId = randomUUID();
    const program = (words: Partial<ProgramData> = {}): ProgramData => aProgram({ tenantId, id: programId, ...words });
    const plan = (words: Partial<PlanData> = {}): PlanData => aPlan({ tenantId, id: planId, programId, ...words });
    const verdict = (words: VerdictWords = {}): VerdictGivenData => {
      const given = aVerdict({ tenantId, ...words });
      return {
        ...given,
        attribution: { ...given.attribution, programId, credits: given.attribution.credits.map((credit) => ({ ...credit, programId })) },
      };
    };
    return { tenantId, programId, planId, program, plan, verdict };
  }

  programs = (...data: ProgramData[]): Promise<void> => this.handle(ProgramChanged, data);
  plans = (...data: PlanData[]): Promise<void> => this.handle(PlanChanged, data);
  verdicts = (...data: VerdictGivenData[]): Promise<void> => this.handle(VerdictGiven, data);

  async handle<T extends TenantData>(contract: EventContract<T>, data: readonly T[]): Promise<void> {
    const tenants = [...new Set(data.map((d) => d.tenantId))];
    await this.worker.transaction(tenants, (tx) => this.handleIn(tx, contract, data));
  }

  async handleIn<T extends TenantData>(
    tx: Tx,
    contract: EventContract<T>,
    data: readonly T[],
    settling: Settling = this.settling,
  ): Promise<void> {
    const route = rewardRoutes(settling).find((r) => r.contract.ceType === contract.ceType) as Route;
    const received = data.map((d) => ({ contract, id: contract.idOf(d), key: contract.keyOf(d), data: d })) as unknown as Received[];
    await writeOutbox(tx, await route.handle(received, tx));
  }

  sweep(): Sweep {
    return new Sweep({ ...this.settling, database: this.worker, log, everyMs: 50, committed: () => undefined });
  }

  async balances(tenantId: string): Promise<Record<string, number>> {
    const rows = await this.api.transaction([tenantId], (tx) =>
      tx.$queryRawUnsafe<{ account: string; currency: string; sum: number }[]>(
        `SELECT account, currency, amount_minor::float8 AS sum FROM balances WHERE amount_minor <> 0 ORDER BY 1, 2`,
      ),
    );
    return Object.fromEntries(rows.map((row) => [`${row.account} ${row.currency}`, row.sum]));
  }

  /** What was told about a tenant's rewards, in the order of the outbox. */
  async events(tenantId: string): Promise<RewardChangedData[]> {
    const rows = await this.admin.untenanted((tx) =>
      tx.$queryRawUnsafe<{ value: string }[]>(`SELECT value FROM outbox WHERE headers->>'ce_tenant' = $1 ORDER BY id`, tenantId),
    );
    return rows.map((row) => JSON.parse(row.value) as RewardChangedData);
  }

  async ledgerHash(): Promise<string> {
    const [row] = await this.worker.untenanted((tx) => tx.$queryRawUnsafe<{ hash: string }[]>('SELECT baton_ledger_hash() AS hash'));
    return row?.hash as string;
  }

  async brokenInvariants(): Promise<unknown[]> {
    const all = await new Invariants({ database: this.worker, log, everyMs: 60_000 }).check();
    expect(all.map((row) => row.invariant.slice(0, 2)).sort()).toEqual(['I1', 'I2', 'I3', 'I4', 'I5', 'I8']);
    return all.filter((row) => row.broken > 0);
  }
}
