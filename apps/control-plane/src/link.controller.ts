import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import {
  emit,
  Instant,
  LinkChanged,
  type LinkData,
  LinkTarget,
  ListOf,
  Optional,
  Pattern,
  SLUG,
  Text,
  TextMap,
  Uuid,
  UUID,
  Whole,
} from '@baton/contracts';
import { randomUUID } from 'node:crypto';
import { TheTenant } from './caller';
import { CatalogStore } from './catalog.store';
import { changesLink } from './domain/link';
import { nextVersion } from './domain/stamp';
import {
  answered,
  CreateBody,
  Describes,
  EntityAnswer,
  entityAnswer,
  IdPipe,
  malformed,
  notFound,
  paged,
  pageOf,
  type Reply,
  stampOf,
  StateBody,
  stateChanges,
} from './edge';
import { links } from './link.store';
import { agreedOf, LinkMint, programOf, partnerOf } from './link-mint';
import { partners } from './partner.store';

export class LinkBody extends CreateBody {
  @Uuid() program_id!: string;
  @Uuid() partner_id!: string;
  @Text(4096) destination!: string;
  @Optional() @Pattern(SLUG) slug?: string;
  @Optional() @TextMap(20, 255) sub_ids?: Record<string, string>;
  /** Choices of the program's UTM convention: `source`, `campaign`, `term`. */
  @Optional() @TextMap(3, 64) utm?: Record<string, string> | null;
  @Optional() @Instant() starts_at?: string | null;
  @Optional() @Instant() ends_at?: string | null;
  /** Clicks after which visitors go to the fallback. */
  @Optional() @Whole(1, 1_000_000_000_000) click_cap?: number | null;
  @Optional() @Text(4096) fallback_url?: string | null;
  @Optional() @ListOf(() => LinkTarget, 50) targets?: LinkTarget[] | null;
  @Optional() @Text(2048) deep_link?: string | null;
}

/** What is left out stays as it is; null takes it away. */
export class LinkChangeBody {
  @Optional() @Text(4096) destination?: string;
  @Optional() @TextMap(3, 64) utm?: Record<string, string> | null;
  @Optional() @Instant() starts_at?: string | null;
  @Optional() @Instant() ends_at?: string | null;
  @Optional() @Whole(1, 1_000_000_000_000) click_cap?: number | null;
  @Optional() @Text(4096) fallback_url?: string | null;
  @Optional() @ListOf(() => LinkTarget, 50) targets?: LinkTarget[] | null;
  @Optional() @Text(2048) deep_link?: string | null;
}

export class LinkAnswer extends EntityAnswer {
  @Uuid() program_id!: string;
  @Uuid() partner_id!: string;
  @Text(2048) destination!: string;
  @Pattern(SLUG) slug!: string;
  @Whole(1, 2 ** 40 - 1) number!: number;
  @TextMap(20, 255) sub_ids!: Record<string, string>;
  @Optional() @TextMap(3, 64) utm!: Record<string, string> | null;
  @Optional() @Instant() starts_at!: string | null;
  @Optional() @Instant() ends_at!: string | null;
  @Optional() @Whole(1, 1_000_000_000_000) click_cap!: number | null;
  @Optional() @Text(2048) fallback_url!: string | null;
  @Optional() @ListOf(() => LinkTarget, 50) targets!: LinkTarget[] | null;
  @Optional() @Text(2048) deep_link!: string | null;
  @Text(2048) share_url!: string;
}

@ApiTags('links')
@ApiBearerAuth()
@Controller('v1/links')
export class LinkController {
  constructor(
    @Inject(CatalogStore) private readonly catalog: CatalogStore,
    @Inject(LinkMint) private readonly mint: LinkMint,
  ) {}

  @Post()
  @Describes({ body: LinkBody, answer: LinkAnswer })
  async create(@TheTenant() tenantId: string, @Body() body: LinkBody, @Res({ passthrough: true }) reply: Reply): Promise<LinkAnswer> {
    const id = body.id ?? randomUUID();
    const { program_id: programId, partner_id: partnerId } = body;
    const created = await this.catalog.create({ tenantId, kind: 'link', id, body }, async (tx, change) => {
      const versions = await programOf(tx, change, programId);
      const partner = await partnerOf(tx, change, partnerId);
      const agreed = agreedOf(body, versions, { at: change.at, partner });
      const link = await this.mint.add(tx, change, {
        id,
        programId,
        partnerId,
        ...agreed,
        slug: body.slug ?? undefined,
        subIds: body.sub_ids ?? {},
        referral: false,
      });
      return { answer: linkAnswer(link, this.mint), events: [emit(LinkChanged, link)] };
    });
    return answered(reply, created);
  }

  @Get()
  async list(
    @TheTenant() tenantId: string,
    @Query('partner_id') partnerId?: string,
    @Query('cursor') cursor?: string,
    @Query('limit') limit?: string,
  ): Promise<object> {
    const page = pageOf(cursor, limit, /^\d{1,13}$/);
    if (partnerId !== undefined && !UUID.test(partnerId)) throw malformed([{ field: 'partner_id', problem: 'is not an id' }]);
    const after = page.cursor === undefined ? undefined : Number(page.cursor);
    const items = await this.catalog.read(tenantId, (tx) => links.list(tx, tenantId, partnerId, after, page.limit));
    return paged(
      items.map((link) => linkAnswer(link, this.mint)),
      page,
      (last) => String(last.number),
    );
  }

  @Get(':id')
  @Describes({ answer: LinkAnswer })
  async get(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string): Promise<LinkAnswer> {
    const link = await this.catalog.read(tenantId, (tx) => links.find(tx, tenantId, id));
    if (!link) throw notFound();
    return linkAnswer(link, this.mint);
  }

  /** Changes what a visitor of the link meets; its slug and number stay. */
  @Post(':id')
  @Describes({ body: LinkChangeBody, answer: LinkAnswer })
  amend(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() body: LinkChangeBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<LinkAnswer> {
    return this.alter(tenantId, id, reply, async (link, tx, change) => {
      stateChanges(link.state, 'active'); // A deleted link leads nowhere any more.
      const partner = await partners.find(tx, tenantId, link.partnerId);
      if (!partner) throw new Error(`link ${link.id} has a partner that does not exist`);
      const agreed = agreedOf(body, await programOf(tx, change, link.programId), { at: change.at, partner, before: link });
      return changesLink(link, agreed) ? agreed : null;
    });
  }

  @Post(':id/state')
  @Describes({ body: StateBody, answer: LinkAnswer })
  setState(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() { state }: StateBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<LinkAnswer> {
    return this.alter(tenantId, id, reply, (link) => (stateChanges(link.state, state) ? { state } : null));
  }

  /** Null: there is nothing to change, which is a 200 and no new version. */
  private alter(tenantId: string, id: string, reply: Reply, changeOf: Alteration): Promise<LinkAnswer> {
    return this.catalog.change(tenantId, async (tx, change) => {
      const link = await links.find(tx, tenantId, id);
      if (!link) throw notFound();
      const altered = await changeOf(link, tx, change);
      if (altered === null) {
        reply.code(200);
        return { answer: linkAnswer(link, this.mint), events: [] };
      }
      const next = nextVersion(link, stampOf(change, id), altered);
      await links.put(tx, next);
      return { answer: linkAnswer(next, this.mint), events: [emit(LinkChanged, next)] };
    });
  }
}

type Work = Parameters<Parameters<CatalogStore['change']>[1]>;
type Alteration = (link: LinkData, tx: Work[0], change: Work[1]) => Promise<Partial<LinkData> | null> | Partial<LinkData> | null;

export const linkAnswer = (link: LinkData, mint: LinkMint): LinkAnswer => ({
  ...entityAnswer(link),
  program_id: link.programId,
  partner_id: link.partnerId,
  destination: link.destination,
  slug: link.slug,
  number: link.number,
  sub_ids: link.subIds,
  utm: link.utm ?? null,
  starts_at: link.startsAt ?? null,
  ends_at: link.endsAt ?? null,
  click_cap: link.clickCap ?? null,
  fallback_url: link.fallbackUrl ?? null,
  targets: link.targets ?? null,
  deep_link: link.deepLink ?? null,
  share_url: mint.shareUrl(link.slug),
});
