import { Body, Controller, Get, Inject, Param, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { emit, Minor, Optional, TenantChanged, type TenantEntity, Text, Whole } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { type Caller, PlatformRoute, TheCaller } from './caller';
import { CatalogStore } from './catalog.store';
import { firstVersion, nextVersion } from './domain/stamp';
import { answered, CreateBody, Describes, EntityAnswer, entityAnswer, IdPipe, notFound, type Reply, stampOf } from './edge';
import { tenants } from './tenant.store';

/** How much one reversal request takes back without being confirmed. What is left out stays; null: as without a setting (10 conversions, any money). */
export class LimitsBody {
  @Optional() @Whole(1, 1_000_000) reversal_cap_conversions?: number | null;
  /** In minor units of each currency. */
  @Optional() @Minor() reversal_cap_minor?: number | null;
}

export class TenantBody extends CreateBody {
  @Text(200) name!: string;
  @Optional() @Whole(1, 1_000_000) reversal_cap_conversions?: number | null;
  @Optional() @Minor() reversal_cap_minor?: number | null;
}

export class TenantAnswer extends EntityAnswer {
  @Text(200) name!: string;
  @Optional() @Whole(1, 1_000_000) reversal_cap_conversions!: number | null;
  @Optional() @Minor() reversal_cap_minor!: number | null;
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
      const tenant: TenantEntity = { ...firstVersion(stampOf(change, tenantId)), name: body.name, ...limitsOf(body) };
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

  @Post('tenants/:id/limits')
  @PlatformRoute()
  @Describes({ body: LimitsBody, answer: TenantAnswer })
  limits(
    @TheCaller() caller: Caller,
    @Param('id', IdPipe) id: string,
    @Body() body: LimitsBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<TenantAnswer> {
    if (caller.kind === 'tenant' && caller.tenantId !== id) throw notFound();
    if (caller.kind !== 'operator') throw new Problem('operator_only');
    return this.catalog.change(id, async (tx, change) => {
      const before = await tenants.find(tx, id);
      if (!before) throw notFound();
      const limits = limitsOf(body);
      if (Object.entries(limits).every(([name, value]) => (before[name as keyof TenantEntity] ?? null) === value)) {
        reply.code(200);
        return { answer: tenantAnswer(before), events: [] };
      }
      const tenant = nextVersion(before, stampOf(change, id), limits);
      await tenants.put(tx, tenant);
      return { answer: tenantAnswer(tenant), events: [emit(TenantChanged, tenant)] };
    });
  }

  @Get('catalog')
  @PlatformRoute()
  @Describes({ answer: CatalogAnswer })
  async version(): Promise<CatalogAnswer> {
    return { version: await this.catalog.version() };
  }
}

/** What the body names, and nothing else. */
const limitsOf = ({
  reversal_cap_conversions: reversalCapConversions,
  reversal_cap_minor: reversalCapMinor,
}: LimitsBody): Partial<TenantEntity> => ({
  ...(reversalCapConversions === undefined ? {} : { reversalCapConversions }),
  ...(reversalCapMinor === undefined ? {} : { reversalCapMinor }),
});

const tenantAnswer = (tenant: TenantEntity): TenantAnswer => ({
  ...entityAnswer(tenant),
  name: tenant.name,
  reversal_cap_conversions: tenant.reversalCapConversions ?? null,
  reversal_cap_minor: tenant.reversalCapMinor ?? null,
});
