import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import {
  AndroidApp,
  type AppleApp,
  DomainChanged,
  type DomainData,
  emit,
  HOST,
  ListOf,
  Optional,
  Pattern,
  Text,
  TextList,
  UUID,
} from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { TheTenant } from './caller';
import { CatalogStore, type CatalogTx, type Change } from './catalog.store';
import { fingerprintOf } from './domain/fingerprint';
import { problemsOfDomain } from './domain/own-domain';
import { firstVersion, nextVersion } from './domain/stamp';
import { domains } from './domain.store';
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
import { LinkMint } from './link-mint';

export class AppleAppBody {
  /** Team id and bundle id: `ABCDE12345.com.example.app`. */
  @Pattern(/^[A-Z0-9]{10}\.[A-Za-z0-9.-]{1,155}$/) app_id!: string;
  /** Patterns of paths that open the app; left out: all links. */
  @Optional() @TextList(100, 255) paths?: string[] | null;
}

export class DomainBody extends CreateBody {
  /** A host name in lower case, without a port. */
  @Pattern(HOST) host!: string;
  /** Where the bare domain leads. */
  @Optional() @Text(2048) root_url?: string | null;
  @Optional() @ListOf(() => AppleAppBody, 20) apple_apps?: AppleAppBody[] | null;
  @Optional() @ListOf(() => AndroidApp, 20) android_apps?: AndroidApp[] | null;
}

/** What is left out stays as it is; null takes it away. The host of a domain never changes. */
export class DomainChangeBody {
  @Optional() @Text(2048) root_url?: string | null;
  @Optional() @ListOf(() => AppleAppBody, 20) apple_apps?: AppleAppBody[] | null;
  @Optional() @ListOf(() => AndroidApp, 20) android_apps?: AndroidApp[] | null;
}

export class DomainAnswer extends EntityAnswer {
  @Pattern(HOST) host!: string;
  @Optional() @Text(2048) root_url!: string | null;
  @ListOf(() => AppleAppBody, 20) apple_apps!: AppleAppBody[];
  @ListOf(() => AndroidApp, 20) android_apps!: AndroidApp[];
}

/** A tenant's own domains for links. Point the name at the redirect before links are shared under it. */
@ApiTags('domains')
@ApiBearerAuth()
@Controller('v1/domains')
export class DomainController {
  constructor(
    @Inject(CatalogStore) private readonly catalog: CatalogStore,
    @Inject(LinkMint) private readonly mint: LinkMint,
  ) {}

  @Post()
  @Describes({ body: DomainBody, answer: DomainAnswer })
  async create(@TheTenant() tenantId: string, @Body() body: DomainBody, @Res({ passthrough: true }) reply: Reply): Promise<DomainAnswer> {
    const id = body.id ?? randomUUID();
    const created = await this.catalog.create({ tenantId, kind: 'domain', id, body }, async (tx, change) => {
      const domain = this.checked({ ...firstVersion(stampOf(change, id)), host: body.host, ...namedOf(body) });
      // It does not say by whom.
      if (!(await domains.add(tx, domain))) throw new Problem('domain_taken', `The host ${body.host} is in use.`);
      return { answer: domainAnswer(domain), events: [emit(DomainChanged, domain)] };
    });
    return answered(reply, created);
  }

  @Get()
  async list(@TheTenant() tenantId: string, @Query('cursor') cursor?: string, @Query('limit') limit?: string): Promise<object> {
    const page = pageOf(cursor, limit, UUID);
    const items = await this.catalog.read(tenantId, (tx) => domains.list(tx, tenantId, page.cursor, page.limit));
    return paged(items.map(domainAnswer), page, (last) => last.id);
  }

  @Get(':id')
  @Describes({ answer: DomainAnswer })
  async get(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string): Promise<DomainAnswer> {
    const domain = await this.catalog.read(tenantId, (tx) => domains.find(tx, tenantId, id));
    if (!domain) throw notFound();
    return domainAnswer(domain);
  }

  @Post(':id')
  @Describes({ body: DomainChangeBody, answer: DomainAnswer })
  amend(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() body: DomainChangeBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<DomainAnswer> {
    return this.alter(tenantId, id, reply, (domain) => {
      stateChanges(domain.state, 'active'); // A deleted domain is nobody's any more.
      const named = namedOf(body);
      return fingerprintOf(inStoredForm({ ...domain, ...named })) === fingerprintOf(domain) ? null : named;
    });
  }

  @Post(':id/state')
  @Describes({ body: StateBody, answer: DomainAnswer })
  setState(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() { state }: StateBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<DomainAnswer> {
    return this.alter(tenantId, id, reply, (domain) => (stateChanges(domain.state, state) ? { state } : null));
  }

  /** Null: there is nothing to change, which is a 200 and no new version. */
  private alter(
    tenantId: string,
    id: string,
    reply: Reply,
    changeOf: (domain: DomainData) => Partial<DomainData> | null,
  ): Promise<DomainAnswer> {
    return this.catalog.change(tenantId, async (tx: CatalogTx, change: Change) => {
      const domain = await domains.find(tx, tenantId, id);
      if (!domain) throw notFound();
      const altered = changeOf(domain);
      if (altered === null) {
        reply.code(200);
        return { answer: domainAnswer(domain), events: [] };
      }
      const next = this.checked(nextVersion(domain, stampOf(change, id), altered));
      await domains.put(tx, next);
      return { answer: domainAnswer(next), events: [emit(DomainChanged, next)] };
    });
  }

  private checked(domain: DomainData): DomainData {
    const problems = problemsOfDomain(domain, this.mint.platformHost);
    if (problems.length > 0) throw malformed(problems);
    return inStoredForm(domain);
  }
}

/** The root as every browser reads it. */
const inStoredForm = (domain: DomainData): DomainData =>
  domain.rootUrl && URL.canParse(domain.rootUrl) ? { ...domain, rootUrl: new URL(domain.rootUrl).href } : domain;

/** What the body names; null is an empty list, and no root. */
function namedOf({ root_url: rootUrl, apple_apps: apple, android_apps: android }: DomainChangeBody): Partial<DomainData> {
  return {
    ...(rootUrl !== undefined ? { rootUrl } : {}),
    ...(apple !== undefined ? { appleApps: (apple ?? []).map(appleAppOf) } : {}),
    ...(android !== undefined
      ? { androidApps: (android ?? []).map(({ package: name, fingerprints }) => ({ package: name, fingerprints })) }
      : {}),
  };
}

const appleAppOf = ({ app_id: appId, paths }: AppleAppBody): AppleApp => ({ appId, ...(paths ? { paths } : {}) });

const domainAnswer = (domain: DomainData): DomainAnswer => ({
  ...entityAnswer(domain),
  host: domain.host,
  root_url: domain.rootUrl ?? null,
  apple_apps: (domain.appleApps ?? []).map(({ appId, paths }) => ({ app_id: appId, ...(paths ? { paths } : {}) })),
  android_apps: domain.androidApps ?? [],
});
