import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import {
  ANDROID_PACKAGE,
  type AppStores,
  emit,
  Flag,
  Instant,
  Nested,
  OneOf,
  Optional,
  Pattern,
  ProgramChanged,
  type ProgramData,
  Text,
  TextList,
  TextMap,
  UtmConvention,
  UUID,
  Whole,
} from '@baton/contracts';
import { randomUUID } from 'node:crypto';
import { TheTenant } from './caller';
import { CatalogStore, type CatalogTx, type Change, type Changed } from './catalog.store';
import { firstProgram, nextProgram, problemsOfProgram, type ProgramTerms } from './domain/program';
import { nextVersion } from './domain/stamp';
import { namedUtm, utmOf } from './domain/utm';
import {
  answered,
  beginningOf,
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
import { programs } from './program.store';

const DAY_MS = 86_400_000;
const LANDING_PARAM = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

export class AppStoresBody {
  @Optional() @Text(2048) app_store_url?: string | null;
  @Optional() @Pattern(ANDROID_PACKAGE) play_package?: string | null;
}

export class ProgramBody extends CreateBody {
  @Text(200) name!: string;
  @TextList(100, 253) destination_hosts!: string[];
  @Optional() @Flag() allow_http?: boolean;
  @Optional() @Whole(0, 3650) window_days?: number;
  @Optional() @Whole(0, 365) hold_days?: number;
  @Optional() @Whole(0, DAY_MS) clock_skew_ms?: number;
  @Optional() @OneOf(['last_touch']) model?: 'last_touch';
  @Optional() @Pattern(LANDING_PARAM) landing_param?: string;
  @Optional() @TextMap(10, 255) utm?: Record<string, string>;
  @Optional() @Text(2048) fallback_url?: string | null;
  /** The vocabulary of UTM values; it stands over `utm`. Null takes it away. */
  @Optional() @Nested(() => UtmConvention) utm_convention?: UtmConvention | null;
  /** Schemes of apps that deep links may open: `acme` for `acme://`. */
  @Optional() @TextList(20, 64) deep_link_schemes?: string[] | null;
  @Optional() @Nested(() => AppStoresBody) app_stores?: AppStoresBody | null;
  /** Whoever converts becomes a referrer with a share link of their own. */
  @Optional() @Flag() enrol_customers?: boolean;
  @Optional() @Instant() valid_from?: string;
}

/** New terms; what is left out stays as it was in the newest version. */
export class ProgramVersionBody {
  @Optional() @Text(200) name?: string;
  @Optional() @TextList(100, 253) destination_hosts?: string[];
  @Optional() @Flag() allow_http?: boolean;
  @Optional() @Whole(0, 3650) window_days?: number;
  @Optional() @Whole(0, 365) hold_days?: number;
  @Optional() @Whole(0, DAY_MS) clock_skew_ms?: number;
  @Optional() @OneOf(['last_touch']) model?: 'last_touch';
  @Optional() @Pattern(LANDING_PARAM) landing_param?: string;
  @Optional() @TextMap(10, 255) utm?: Record<string, string>;
  /** Null takes it away. */
  @Optional() @Text(2048) fallback_url?: string | null;
  /** The vocabulary of UTM values; it stands over `utm`. Null takes it away. */
  @Optional() @Nested(() => UtmConvention) utm_convention?: UtmConvention | null;
  /** Schemes of apps that deep links may open: `acme` for `acme://`. */
  @Optional() @TextList(20, 64) deep_link_schemes?: string[] | null;
  @Optional() @Nested(() => AppStoresBody) app_stores?: AppStoresBody | null;
  /** Whoever converts becomes a referrer with a share link of their own. */
  @Optional() @Flag() enrol_customers?: boolean;
  @Optional() @Instant() valid_from?: string;
}

export class ProgramAnswer extends EntityAnswer {
  @Text(200) name!: string;
  @TextList(100, 253) destination_hosts!: string[];
  @Flag() allow_http!: boolean;
  @Whole(0, 3650) window_days!: number;
  @Whole(0, 365) hold_days!: number;
  @Whole(0, DAY_MS) clock_skew_ms!: number;
  @OneOf(['last_touch']) model!: 'last_touch';
  @Pattern(LANDING_PARAM) landing_param!: string;
  @TextMap(10, 255) utm!: Record<string, string>;
  @Optional() @Text(2048) fallback_url!: string | null;
  @Optional() @Nested(() => UtmConvention) utm_convention!: UtmConvention | null;
  @Optional() @TextList(20, 64) deep_link_schemes!: string[] | null;
  @Optional() @Nested(() => AppStoresBody) app_stores!: AppStoresBody | null;
  @Flag() enrol_customers!: boolean;
  @Instant() valid_from!: string;
}

@ApiTags('programs')
@ApiBearerAuth()
@Controller('v1/programs')
export class ProgramController {
  constructor(@Inject(CatalogStore) private readonly catalog: CatalogStore) {}

  @Post()
  @Describes({ body: ProgramBody, answer: ProgramAnswer })
  async create(@TheTenant() tenantId: string, @Body() body: ProgramBody, @Res({ passthrough: true }) reply: Reply): Promise<ProgramAnswer> {
    const id = body.id ?? randomUUID();
    const terms = { ...termsOf(body), name: body.name, destinationHosts: body.destination_hosts };
    const created = await this.catalog.create({ tenantId, kind: 'program', id, body }, (tx, change) =>
      publish(tx, firstProgram(terms, stampOf(change, id), body.valid_from ?? undefined)),
    );
    return answered(reply, created);
  }

  @Get()
  async list(@TheTenant() tenantId: string, @Query('cursor') cursor?: string, @Query('limit') limit?: string): Promise<object> {
    const page = pageOf(cursor, limit, UUID);
    const items = await this.catalog.read(tenantId, (tx) => programs.list(tx, tenantId, page.cursor, page.limit));
    return paged(items.map(programAnswer), page, (last) => last.id);
  }

  /** The newest version, and all versions. */
  @Get(':id')
  @Describes({ answer: ProgramAnswer })
  async get(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string): Promise<object> {
    const versions = (await this.catalog.read(tenantId, (tx) => programs.versions(tx, tenantId, id))).map(programAnswer);
    const newest = versions.at(-1);
    if (!newest) throw notFound();
    return { ...newest, versions };
  }

  @Post(':id/versions')
  @Describes({ body: ProgramVersionBody, answer: ProgramAnswer })
  addVersion(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string, @Body() body: ProgramVersionBody): Promise<ProgramAnswer> {
    const terms = termsOf(body);
    return this.catalog.change(tenantId, async (tx, change) => {
      const newest = await newestOf(tx, change, id);
      stateChanges(newest.state, 'active'); // A deleted program gets no new terms.
      return publish(tx, nextProgram(newest, terms, stampOf(change, id), beginningOf(body.valid_from, change.at)));
    });
  }

  /** The terms stay; the state of the newest version is the program's. */
  @Post(':id/state')
  @Describes({ body: StateBody, answer: ProgramAnswer })
  setState(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() { state }: StateBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<ProgramAnswer> {
    return this.catalog.change(tenantId, async (tx, change) => {
      const newest = await newestOf(tx, change, id);
      if (stateChanges(newest.state, state)) return publish(tx, nextVersion(newest, stampOf(change, id), { state }));
      reply.code(200);
      return { answer: programAnswer(newest), events: [] };
    });
  }
}

async function publish(tx: CatalogTx, program: ProgramData): Promise<Changed<ProgramAnswer>> {
  const problems = problemsOfProgram(program);
  if (problems.length > 0) throw malformed(problems);
  await programs.add(tx, program);
  return { answer: programAnswer(program), events: [emit(ProgramChanged, program)] };
}

async function newestOf(tx: CatalogTx, { tenantId }: Change, id: string): Promise<ProgramData> {
  const newest = await programs.newest(tx, tenantId, id);
  if (!newest) throw notFound();
  return newest;
}

/** What the body names, and nothing else. */
function termsOf(body: ProgramVersionBody): Partial<ProgramTerms> {
  const utm = body.utm ? utmOf(body.utm) : undefined;
  if (utm?.kind === 'refused') throw malformed(utm.problems);
  const terms = {
    name: body.name,
    destinationHosts: body.destination_hosts,
    allowHttp: body.allow_http,
    windowMs: typeof body.window_days === 'number' ? body.window_days * DAY_MS : undefined,
    holdDays: body.hold_days,
    clockSkewMs: body.clock_skew_ms,
    model: body.model,
    landingParam: body.landing_param,
    enrolCustomers: body.enrol_customers,
    utm: utm?.utm,
  };
  const named = Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined && value !== null));
  // Of these null means something: it takes them away.
  const takeable = {
    fallbackUrl: body.fallback_url,
    utmConvention: body.utm_convention && conventionOf(body.utm_convention),
    deepLinkSchemes: body.deep_link_schemes,
    appStores: body.app_stores && storesOf(body.app_stores),
  };
  return { ...named, ...Object.fromEntries(Object.entries(takeable).filter(([, value]) => value !== undefined)) };
}

const conventionOf = ({ sources, campaigns, terms }: UtmConvention): UtmConvention => ({ sources, campaigns, ...(terms ? { terms } : {}) });
const storesOf = ({ app_store_url: appStoreUrl, play_package: playPackage }: AppStoresBody): AppStores => ({
  ...(appStoreUrl ? { appStoreUrl } : {}),
  ...(playPackage ? { playPackage } : {}),
});

const programAnswer = (program: ProgramData): ProgramAnswer => ({
  ...entityAnswer(program),
  name: program.name,
  destination_hosts: program.destinationHosts,
  allow_http: program.allowHttp,
  window_days: program.windowMs / DAY_MS,
  hold_days: program.holdDays,
  clock_skew_ms: program.clockSkewMs,
  model: program.model,
  landing_param: program.landingParam,
  utm: namedUtm(program.utm),
  fallback_url: program.fallbackUrl ?? null,
  utm_convention: program.utmConvention ?? null,
  deep_link_schemes: program.deepLinkSchemes ?? null,
  app_stores: program.appStores
    ? { app_store_url: program.appStores.appStoreUrl ?? null, play_package: program.appStores.playPackage ?? null }
    : null,
  enrol_customers: program.enrolCustomers ?? false,
  valid_from: program.validFrom,
});
