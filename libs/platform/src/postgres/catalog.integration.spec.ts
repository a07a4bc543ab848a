import { type Entity, LinkChanged, PlanChanged, ProgramChanged, type Received } from '@baton/contracts';
import { ownPrefix, stores } from '@baton/testing';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { Database } from '../ports';
import { createLog } from '../run/log';
import { type TestDatabase, testDatabase } from '../testing';
import {
  allVersions,
  catalogRoutes,
  type CatalogType,
  entitiesById,
  knownTenants,
  linksByNumber,
  plansOfPrograms,
  programsOf,
} from './catalog';
import { openDatabase } from './database';

jest.setTimeout(60_000);

describe('the catalog that a service keeps', () => {
  let db: TestDatabase;
  let worker: Database;
  const heard: [CatalogType, number][] = [];
  const routes = catalogRoutes(['program', 'link', 'plan'], async (type, entities) => {
    heard.push([type, entities.length]);
    return [];
  });
  const contracts = { program: ProgramChanged, link: LinkChanged, plan: PlanChanged } as const;

  /** Applies one batch as the consumer would. */
  const receive = (type: keyof typeof contracts, ...entities: Entity[]) => {
    const contract = contracts[type];
    const route = routes.find((r) => r.contract.ceType === contract.ceType)!;
    const events = entities.map((data) => ({ contract, id: data.id, key: data.id, data }) as unknown as Received);
    return worker.transaction([...new Set(entities.map((e) => e.tenantId))], (tx) => route.handle(events, tx));
  };
  const link = (over: object) => ({ ...LinkChanged.sample, ...over });
  const program = (over: object) => ({ ...ProgramChanged.sample, ...over });

  beforeAll(async () => {
    db = await testDatabase('attribution', {
      adminUrl: stores().postgresAdminUrl,
      prefix: ownPrefix(),
      folder: join(__dirname, '../../prisma'),
    });
    worker = openDatabase({ url: db.worker, poolMax: 6, log: createLog('test', 'silent') });
  });
  afterAll(async () => {
    await worker.close();
    await db.drop();
  });

  it('has the newest state of a link in whatever order its versions came, in one batch or several, at once too', async () => {
    const tenantId = randomUUID();
    const ids = Array.from({ length: 20 }, () => randomUUID());
    const versions = ids.flatMap((id, i) =>
      [3, 1, 2].map((version) => link({ tenantId, id, version, number: 1_000 + i, destination: `https://shop.example/${version}` })),
    );
    const halves = [versions.filter((_, i) => i % 2 === 0), versions.filter((_, i) => i % 2 === 1).reverse()];
    await Promise.all([...halves, [...versions].reverse()].map((half) => receive('link', ...half)));
    const links = await worker.transaction([tenantId], (tx) =>
      linksByNumber(
        tx,
        ids.map((_, i) => ({ tenantId, number: 1_000 + i })),
      ),
    );
    expect(links).toHaveLength(20);
    expect(new Set(links.map((l) => `${l.version} ${l.destination}`))).toEqual(new Set(['3 https://shop.example/3']));
    expect(heard).toContainEqual(['link', 60]);
  });

  it('keeps every version of terms, and gives the newest as the state', async () => {
    const [tenantId, id] = [randomUUID(), randomUUID()];
    await receive('program', program({ tenantId, id, version: 2, name: 'second' }));
    await receive('program', program({ tenantId, id, version: 1, name: 'first' }), program({ tenantId, id, version: 3, name: 'third' }));
    const planId = randomUUID();
    await receive(
      'plan',
      { ...PlanChanged.sample, tenantId, id: planId, programId: id, version: 1 } as Entity,
      { ...PlanChanged.sample, tenantId, id: planId, programId: id, version: 2 } as Entity,
    );
    const read = await worker.transaction([tenantId], async (tx) => ({
      all: await allVersions(tx, 'program', [{ tenantId, id }]),
      newest: await entitiesById(tx, 'program', [{ tenantId, id }]),
      programs: await programsOf(tx, tenantId),
      plans: await plansOfPrograms(tx, [{ tenantId, id }]),
    }));
    expect(read.all.map((p) => p.name)).toEqual(['first', 'second', 'third']);
    expect(read.newest.map((p) => p.name)).toEqual(['third']);
    expect(read.programs.map((p) => p.name)).toEqual(['third']);
    expect(read.plans.map((p) => p.version)).toEqual([1, 2]);
  });

  it('finds nothing of another tenant, though a number or an id be the same', async () => {
    const [mine, other, id] = [randomUUID(), randomUUID(), randomUUID()];
    await receive('link', link({ tenantId: mine, id, number: 77, version: 1 }), link({ tenantId: other, id, number: 77, version: 5 }));
    const read = await worker.transaction([mine], async (tx) => ({
      own: await linksByNumber(tx, [{ tenantId: mine, number: 77 }]),
      foreign: await linksByNumber(tx, [{ tenantId: other, number: 77 }]),
      unknown: await linksByNumber(tx, [{ tenantId: mine, number: 78 }]),
    }));
    expect([read.own.map((l) => l.version), read.foreign, read.unknown]).toEqual([[1], [], []]);
    expect(await worker.untenanted((tx) => knownTenants(tx))).toEqual(expect.arrayContaining([mine, other]));
  });
});
