import { APP_GUARD } from '@nestjs/core';
import { parseNetworks } from '@baton/contracts';
import {
  BatchConsumer,
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  type DatabaseOptions,
  openDatabase,
  OutboxRelay,
  type Part,
  type TransactingClient,
  writeOutbox,
} from '@baton/platform';
import { ApiKeyController, SigningRoot } from './api-key.controller';
import { BulkController } from './bulk.controller';
import { BULK_PATHS } from './bulk-openapi';
import { LinkImport } from './bulk-import';
import { CallerGuard } from './caller';
import { CatalogStore, type CatalogTx, PgCatalogStore } from './catalog.store';
import { ConventionController } from './convention.controller';
import { DomainController } from './domain.controller';
import { enrolmentRoutes } from './enrolment.routes';
import type { Env } from './env';
import { PrismaClient } from './generated/client';
import { LinkController } from './link.controller';
import { LinkMint } from './link-mint';
import { PartnerController } from './partner.controller';
import { PlanController } from './plan.controller';
import { ProgramController } from './program.controller';
import { QrController } from './qr.controller';
import { ReferrerController } from './referrer.controller';
import { TenantController } from './tenant.controller';

/** Connections of the worker beside its consumer's: the relay and its election. */
const SPARE_CONNECTIONS = 3;

/** The composition root: the only file that says `new`. */
export async function compose({ service, env, log, fatal }: Context<Env>): Promise<Composition> {
  const now = (): Date => new Date();
  const createClient: DatabaseOptions<CatalogTx>['createClient'] = (adapter) =>
    new PrismaClient({ adapter }) as unknown as TransactingClient<CatalogTx>;
  const api = openDatabase<CatalogTx>({
    url: env.DATABASE_API_URL,
    poolMax: env.DATABASE_POOL_MAX,
    log,
    createClient,
  });
  const worker = openDatabase<CatalogTx>({ url: env.DATABASE_URL, poolMax: env.PARTITIONS_AT_ONCE + SPARE_CONNECTIONS, log, createClient });
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log, security: env });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database: worker, producer, log });
  const catalog = new PgCatalogStore({ database: api, now, wake: () => relay.wake() });

  const guard = new CallerGuard({ catalog, adminKey: env.ADMIN_KEY, trustedProxies: parseNetworks(env.TRUSTED_PROXIES), now });
  const mint = new LinkMint(env.PUBLIC_URL);
  const bulk = new BulkController({ guard, imports: new LinkImport(catalog, mint), log });

  const consumer = new BatchConsumer({
    kafka,
    group: service,
    routes: enrolmentRoutes({ mint, now, log }),
    database: worker,
    producer,
    writeOutbox,
    committed: () => relay.wake(),
    log,
    onDead: fatal,
    partitionsAtOnce: env.PARTITIONS_AT_ONCE,
    batchMax: env.BATCH_MAX,
  });

  const databases: Part = {
    name: 'postgres',
    unready: () =>
      api.ping().then(
        () => undefined,
        () => 'Postgres does not answer',
      ),
    stop: async () => void (await Promise.all([api.close(), worker.close()])),
  };
  return {
    controllers: [
      TenantController,
      ProgramController,
      PartnerController,
      ReferrerController,
      LinkController,
      QrController,
      ConventionController,
      DomainController,
      PlanController,
      ApiKeyController,
    ],
    providers: [
      { provide: CatalogStore, useValue: catalog },
      { provide: LinkMint, useValue: mint },
      { provide: SigningRoot, useValue: { text: env.POSTBACK_SIGNING_ROOT ?? null } satisfies SigningRoot },
      { provide: APP_GUARD, useValue: guard },
    ],
    // Changes are taken while Kafka is away: that nobody is enrolled meanwhile makes this service no less ready.
    parts: [
      databases,
      { name: 'producer', stop: () => producer.close() },
      relay,
      { name: consumer.name, start: () => consumer.start(), stop: () => consumer.stop() },
    ],
    status: () => ({ consumer: consumer.unready() ?? 'joined' }),
    routes: (http) => bulk.routes(http),
    openApi: {
      title: 'Baton control plane',
      description: 'What was agreed: tenants, programs, partners and referring customers, links and their domains, reward plans, API keys.',
      paths: BULK_PATHS(),
    },
  };
}
