import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { emit, OneOf, Optional, PartnerChanged, type PartnerData, Pattern, Text, Uuid, UUID, Whole } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { TheTenant } from './caller';
import { CatalogStore } from './catalog.store';
import { partnerKeyOf } from './domain/partner-key';
import { firstVersion, nextVersion } from './domain/stamp';
import {
  answered,
  CreateBody,
  Describes,
  EntityAnswer,
  entityAnswer,
  IdPipe,
  notFound,
  paged,
  pageOf,
  type Reply,
  stampOf,
  StateBody,
  stateChanges,
} from './edge';
import { randomSlug } from './link-mint';
import { partners } from './partner.store';

const KEY = /^[A-Za-z0-9._-]{1,64}$/;

export class PartnerBody extends CreateBody {
  @Text(200) name!: string;
  /** The partner's public key in links and macros; absent: one made from the name. */
  @Optional() @Pattern(KEY) key?: string;
  /** Referring customers are made by POST /v1/referrers. */
  @Optional() @OneOf(['partner']) kind?: 'partner';
}

export class PartnerAnswer extends EntityAnswer {
  @OneOf(['partner', 'customer']) kind!: 'partner' | 'customer';
  @Text(200) name!: string;
  @Pattern(KEY) key!: string;
  @Optional() @Text(255) customer_id!: string | null;
  /** The customer (a partner) by whose link this one came. */
  @Optional() @Uuid() referred_by!: string | null;
  /** How many customers referred one another up to this one. */
  @Optional() @Whole(0, 1_000) referral_depth!: number | null;
}

@ApiTags('partners')
@ApiBearerAuth()
@Controller('v1/partners')
export class PartnerController {
  constructor(@Inject(CatalogStore) private readonly catalog: CatalogStore) {}

  @Post()
  @Describes({ body: PartnerBody, answer: PartnerAnswer })
  async create(@TheTenant() tenantId: string, @Body() body: PartnerBody, @Res({ passthrough: true }) reply: Reply): Promise<PartnerAnswer> {
    const id = body.id ?? randomUUID();
    const created = await this.catalog.create({ tenantId, kind: 'partner', id, body }, async (tx, change) => {
      const head = { ...firstVersion(stampOf(change, id)), kind: 'partner' as const, name: body.name };
      const key = body.key ?? partnerKeyOf(body.name, randomSlug());
      const partner = { ...head, key };
      if (await partners.add(tx, partner)) return published(partner);
      if (body.key)
        throw new Problem('key_taken', `Another partner has the key "${body.key}". Choose another, or leave it out to get one.`);
      const second = { ...head, key: `${key}-${randomSlug()}` };
      if (await partners.add(tx, second)) return published(second);
      throw new Error('no free partner key');
    });
    return answered(reply, created);
  }

  @Get()
  async list(@TheTenant() tenantId: string, @Query('cursor') cursor?: string, @Query('limit') limit?: string): Promise<object> {
    const page = pageOf(cursor, limit, UUID);
    const items = await this.catalog.read(tenantId, (tx) => partners.list(tx, tenantId, page.cursor, page.limit));
    return paged(items.map(partnerAnswer), page, (last) => last.id);
  }

  @Get(':id')
  @Describes({ answer: PartnerAnswer })
  async get(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string): Promise<PartnerAnswer> {
    const partner = await this.catalog.read(tenantId, (tx) => partners.find(tx, tenantId, id));
    if (!partner) throw notFound();
    return partnerAnswer(partner);
  }

  @Post(':id/state')
  @Describes({ body: StateBody, answer: PartnerAnswer })
  setState(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() { state }: StateBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<PartnerAnswer> {
    return this.catalog.change(tenantId, async (tx, change) => {
      const partner = await partners.find(tx, tenantId, id);
      if (!partner) throw notFound();
      if (!stateChanges(partner.state, state)) {
        reply.code(200);
        return { answer: partnerAnswer(partner), events: [] };
      }
      const next = nextVersion(partner, stampOf(change, id), { state });
      await partners.put(tx, next);
      return published(next);
    });
  }
}

const published = (partner: PartnerData) => ({ answer: partnerAnswer(partner), events: [emit(PartnerChanged, partner)] });

export const partnerAnswer = (partner: PartnerData): PartnerAnswer => ({
  ...entityAnswer(partner),
  kind: partner.kind,
  name: partner.name,
  key: partner.key,
  customer_id: partner.customerId ?? null,
  referred_by: partner.referredBy ?? null,
  referral_depth: partner.kind === 'customer' ? (partner.referralDepth ?? 0) : null,
});
