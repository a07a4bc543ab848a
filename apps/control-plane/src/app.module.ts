import { APP_GUARD } from '@nestjs/core';
import { parseNetworks } from '@baton/contracts';
import {
  BoundedProducer,
  type Composition,
  connectKafka,
  type Context,
  openDatabase,
  OutboxRelay,
  type Part,
  type TransactingClient,
} from '@baton/platform';
import { ApiKeyController, SigningRoot } from './api-key.controller';
import { BulkController } from './bulk.controller';
import { BULK_PATHS } from './bulk-openapi';
import { LinkImport } from './bulk-import';
import { CallerGuard } from './caller';
import { CatalogStore, type CatalogTx, PgCatalogStore } from './catalog.store';
import { ConventionController } from './convention.controller';
import { DomainController } from './domain.controller';
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

/** The composition root: the only file that says `new`. */
export async function compose({ service, env, log }: Context<Env>): Promise<Composition> {
  const now = (): Date => new Date();
  const api = openDatabase<CatalogTx>({
    url: env.DATABASE_API_URL,
    poolMax: env.DATABASE_POOL_MAX,
    log,
    createClient: (adapter) => new PrismaClient({ adapter }) as unknown as TransactingClient<CatalogTx>,
  });
  const worker = openDatabase({ url: env.DATABASE_URL, poolMax: 3, log });
  const kafka = connectKafka({ brokers: env.KAFKA_BROKERS.split(','), clientId: service, prefix: env.TOPIC_PREFIX, log });
  const producer = new BoundedProducer({ kafka });
  const relay = new OutboxRelay({ service, url: env.DATABASE_URL, database: worker, producer, log });
  const catalog = new PgCatalogStore({ database: api, now, wake: () => relay.wake() });

  const guard = new CallerGuard({ catalog, adminKey: env.ADMIN_KEY, trustedProxies: parseNetworks(env.TRUSTED_PROXIES), now });
  const mint = new LinkMint(env.PUBLIC_URL);
  const bulk = new BulkController({ guard, imports: new LinkImport(catalog, mint), log });

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
    parts: [databases, { name: 'producer', stop: () => producer.close() }, relay],
    routes: (http) => bulk.routes(http),
    openApi: {
      title: 'Baton control plane',
      description: 'What was agreed: tenants, programs, partners and referring customers, links and their domains, reward plans, API keys.',
      paths: BULK_PATHS(),
    },
  };
}
