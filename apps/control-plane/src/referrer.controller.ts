import { Body, Controller, Inject, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import {
  emit,
  LinkChanged,
  type LinkData,
  Nested,
  Optional,
  type Outgoing,
  PartnerChanged,
  type PartnerData,
  Text,
  Uuid,
  Whole,
} from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { TheTenant } from './caller';
import { CatalogStore, type CatalogTx, type Change } from './catalog.store';
import { defaultDestination } from './domain/destination';
import { firstVersion } from './domain/stamp';
import { Describes, malformed, type Reply, stampOf } from './edge';
import { linkAnswer, LinkAnswer } from './link.controller';
import { agreedOf, LinkMint, programOf, randomSlug } from './link-mint';
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
    return this.catalog.change(tenantId, async (tx, change) => {
      const known = await partners.ofCustomer(tx, tenantId, body.customer_id);
      const before = known && (await links.referral(tx, tenantId, body.program_id, known.id));
      if (known && before) {
        reply.code(200);
        return { answer: this.answer(known, before), events: [] };
      }
      if (known?.state === 'deleted') throw new Problem('deleted', 'This customer was deleted as a referrer, and that is final.');
      const versions = await programOf(tx, change, body.program_id);
      const wanted = body.destination ?? defaultDestination(versions, change.at);
      if (!wanted) throw malformed([{ field: 'destination', problem: 'is needed here: every host of the program is a pattern' }]);
      const events: Outgoing[] = [];
      const partner = known ?? (await newReferrer(tx, change, body));
      if (!known) events.push(emit(PartnerChanged, partner));
      const agreed = agreedOf({ destination: wanted }, versions, { at: change.at, partner });
      const link = await this.mint.add(tx, change, {
        id: randomUUID(),
        programId: body.program_id,
        partnerId: partner.id,
        ...agreed,
        subIds: {},
        referral: true,
      });
      return { answer: this.answer(partner, link), events: [...events, emit(LinkChanged, link)] };
    });
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

async function newReferrer(tx: CatalogTx, change: Change, { customer_id: customerId, name }: ReferrerBody): Promise<PartnerData> {
  // The key stands in links and reports: it tells nothing of the customer.
  const partner = {
    ...firstVersion(stampOf(change, randomUUID())),
    kind: 'customer' as const,
    name: name ?? 'Customer',
    key: `c-${randomSlug()}${randomSlug()}`,
    customerId,
  };
  if (!(await partners.add(tx, partner))) throw new Error('no free partner key');
  return partner;
}
