import { Body, Controller, Get, Inject, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type LinkData, Nested, Optional, type PartnerData, Text, Uuid, UUID, Whole } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { TheTenant } from './caller';
import { CatalogStore } from './catalog.store';
import { Describes, malformed, type Reply } from './edge';
import { enrol, type Enrolment } from './enrolment';
import { linkAnswer, LinkAnswer } from './link.controller';
import { LinkMint } from './link-mint';
import { links } from './link.store';
import { partnerAnswer, PartnerAnswer } from './partner.controller';
import { partners } from './partner.store';

export class ReferrerBody {
  /** The advertiser's own id of the customer. */
  @Text(255) customer_id!: string;
  @Uuid() program_id!: string;
  @Optional() @Text(200) name?: string;
  /** Absent: the root of the program's first host. */
  @Optional() @Text(4096) destination?: string;
}

export class ReferrerAnswer {
  @Text(2048) share_url!: string;
  @Nested(() => PartnerAnswer) partner!: PartnerAnswer;
  @Nested(() => LinkAnswer) link!: LinkAnswer;
  /** What a reader of the catalog must have reached to know both. */
  @Whole(1, Number.MAX_SAFE_INTEGER) catalog_version!: number;
}

/** A customer who refers others gets a share link of their own: one for each program, however often it is asked for. */
@ApiTags('referrers')
@ApiBearerAuth()
@Controller('v1/referrers')
export class ReferrerController {
  constructor(
    @Inject(CatalogStore) private readonly catalog: CatalogStore,
    @Inject(LinkMint) private readonly mint: LinkMint,
  ) {}

  @Post()
  @Describes({ body: ReferrerBody, answer: ReferrerAnswer })
  create(@TheTenant() tenantId: string, @Body() body: ReferrerBody, @Res({ passthrough: true }) reply: Reply): Promise<ReferrerAnswer> {
    const { customer_id: customerId, program_id: programId, name, destination } = body;
    return this.catalog.change(tenantId, async (tx, change) => {
      const { enrolments, events } = await enrol(tx, change, this.mint, [{ customerId, programId, name, destination }]);
      const [enrolment] = enrolments as [Enrolment];
      if (enrolment.kind === 'refused') throw enrolment.problem;
      if (enrolment.kind === 'known') reply.code(200);
      return { answer: this.answer(enrolment.partner, enrolment.link), events };
    });
  }

  /** `?customer_id=&program_id=` */
  @Get()
  @ApiQuery({ name: 'customer_id', required: true })
  @ApiQuery({ name: 'program_id', required: true })
  @Describes({ answer: ReferrerAnswer })
  async find(
    @TheTenant() tenantId: string,
    @Query('customer_id') customerId: unknown,
    @Query('program_id') programId: unknown,
  ): Promise<ReferrerAnswer> {
    const problems = [
      ...(isCustomerId(customerId) ? [] : [{ field: 'customer_id', problem: 'must be your own id of the customer, 1 to 255 characters' }]),
      ...(typeof programId === 'string' && UUID.test(programId) ? [] : [{ field: 'program_id', problem: 'must be the id of a program' }]),
    ];
    if (problems.length > 0) throw malformed(problems);
    const found = await this.catalog.read(tenantId, async (tx) => {
      const partner = await partners.ofCustomer(tx, tenantId, customerId as string);
      const link = partner && (await links.referral(tx, tenantId, programId as string, partner.id));
      return partner && link ? this.answer(partner, link) : null;
    });
    if (!found) throw new Problem('not_found', NOT_ENROLLED);
    return found;
  }

  private answer(partner: PartnerData, link: LinkData): ReferrerAnswer {
    return {
      share_url: this.mint.shareUrl(link.slug),
      partner: partnerAnswer(partner),
      link: linkAnswer(link, this.mint),
      catalog_version: Math.max(partner.catalogVersion, link.catalogVersion),
    };
  }
}

const NOT_ENROLLED =
  'This customer has no share link of this program. POST /v1/referrers makes one; where the program says enrol_customers, the customer’s first conversion does, within moments.';

/** Text that a customer could have been enrolled under. */
const isCustomerId = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && [...value].length <= 255 && !/\u0000/.test(value);
