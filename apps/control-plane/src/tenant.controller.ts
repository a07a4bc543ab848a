import { Body, Controller, Get, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { emit, TenantChanged, type TenantEntity, Text, Whole } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { type Caller, PlatformRoute, TheCaller } from './caller';
import { CatalogStore } from './catalog.store';
import { firstVersion } from './domain/stamp';
import { answered, CreateBody, Describes, EntityAnswer, entityAnswer, IdPipe, notFound, type Reply, stampOf } from './edge';
import { tenants } from './tenant.store';

export class TenantBody extends CreateBody {
  @Text(200) name!: string;
}

export class TenantAnswer extends EntityAnswer {
  @Text(200) name!: string;
}

export class CatalogAnswer {
  @Whole(0, Number.MAX_SAFE_INTEGER) version!: number;
}

@ApiTags('tenants')
@ApiBearerAuth()
@Controller('v1')
export class TenantController {
  constructor(@Inject(CatalogStore) private readonly catalog: CatalogStore) {}

  @Post('tenants')
  @PlatformRoute()
  @Describes({ body: TenantBody, answer: TenantAnswer })
  async create(@TheCaller() caller: Caller, @Body() body: TenantBody, @Res({ passthrough: true }) reply: Reply): Promise<TenantAnswer> {
    if (caller.kind !== 'operator') throw new Problem('operator_only');
    const tenantId = body.id ?? randomUUID();
    const created = await this.catalog.create({ tenantId, kind: 'tenant', id: tenantId, body }, async (tx, change) => {
      const tenant: TenantEntity = { ...firstVersion(stampOf(change, tenantId)), name: body.name };
      await tenants.add(tx, tenant);
      return { answer: tenantAnswer(tenant), events: [emit(TenantChanged, tenant)] };
    });
    return answered(reply, created);
  }

  @Get('tenants/:id')
  @PlatformRoute()
  @Describes({ answer: TenantAnswer })
  async get(@TheCaller() caller: Caller, @Param('id', IdPipe) id: string): Promise<TenantAnswer> {
    if (caller.kind === 'tenant' && caller.tenantId !== id) throw notFound();
    const tenant = await this.catalog.read(id, (tx) => tenants.find(tx, id));
    if (!tenant) throw notFound();
    return tenantAnswer(tenant);
  }

  @Get('catalog')
  @PlatformRoute()
  @Describes({ answer: CatalogAnswer })
  async version(): Promise<CatalogAnswer> {
    return { version: await this.catalog.version() };
  }
}

const tenantAnswer = (tenant: TenantEntity): TenantAnswer => ({ ...entityAnswer(tenant), name: tenant.name });
