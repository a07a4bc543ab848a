import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import {
  CONVERSION_TYPES,
  Currency,
  emit,
  Instant,
  Minor,
  OneOf,
  Optional,
  PlanChanged,
  type PlanData,
  Text,
  TextList,
  Uuid,
  UUID,
  Whole,
} from '@baton/contracts';
import { Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { TheTenant } from './caller';
import { CatalogStore, type CatalogTx, type Change, type Changed } from './catalog.store';
import { firstPlan, nextPlan, rewardOf, type RewardWords } from './domain/plan';
import { nextVersion } from './domain/stamp';
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
import { plans } from './plan.store';
import { programs } from './program.store';

const KINDS = ['flat', 'percentage'] as const;

export class PlanBody extends CreateBody {
  @Uuid() program_id!: string;
  @Text(200) name!: string;
  @OneOf(KINDS) kind!: (typeof KINDS)[number];
  @Optional() @Minor(1) amount_minor?: number;
  @Optional() @Currency() currency?: string;
  @Optional() @Whole(1, 10_000) basis_points?: number;
  /** Instead of basis_points: a decimal text such as "2.9". */
  @Optional() @Text(6) percent?: string;
  @Optional() @TextList(CONVERSION_TYPES.length, 32) conversion_types?: string[];
  @Optional() @Instant() valid_from?: string;
}

/** New terms: the reward is said anew as a whole; a name and conversion types that are left out stay. */
export class PlanVersionBody {
  @Optional() @Text(200) name?: string;
  @OneOf(KINDS) kind!: (typeof KINDS)[number];
  @Optional() @Minor(1) amount_minor?: number;
  @Optional() @Currency() currency?: string;
  @Optional() @Whole(1, 10_000) basis_points?: number;
  @Optional() @Text(6) percent?: string;
  @Optional() @TextList(CONVERSION_TYPES.length, 32) conversion_types?: string[];
  @Optional() @Instant() valid_from?: string;
}

export class PlanAnswer extends EntityAnswer {
  @Uuid() program_id!: string;
  @Text(200) name!: string;
  @OneOf(KINDS) kind!: (typeof KINDS)[number];
  @Optional() @Minor(1) amount_minor!: number | null;
  @Optional() @Currency() currency!: string | null;
  @Optional() @Whole(1, 10_000) basis_points!: number | null;
  @TextList(CONVERSION_TYPES.length, 32) conversion_types!: string[];
  @Instant() valid_from!: string;
}

@ApiTags('plans')
@ApiBearerAuth()
@Controller('v1/plans')
export class PlanController {
  constructor(@Inject(CatalogStore) private readonly catalog: CatalogStore) {}

  @Post()
  @Describes({ body: PlanBody, answer: PlanAnswer })
  async create(@TheTenant() tenantId: string, @Body() body: PlanBody, @Res({ passthrough: true }) reply: Reply): Promise<PlanAnswer> {
    const id = body.id ?? randomUUID();
    const terms = { programId: body.program_id, name: body.name, conversionTypes: typesOf(body) ?? [], reward: checkedReward(body) };
    const created = await this.catalog.create({ tenantId, kind: 'plan', id, body }, async (tx, change) => {
      const program = await programs.newest(tx, tenantId, body.program_id);
      if (!program || program.state === 'deleted')
        throw new Problem('program_unknown', 'program_id names no program of this tenant, or a deleted one.');
      return publish(tx, firstPlan(terms, stampOf(change, id), body.valid_from ?? undefined));
    });
    return answered(reply, created);
  }

  @Get()
  async list(
    @TheTenant() tenantId: string,
    @Query('program_id') programId?: string,
    @Query('cursor') cursor?: string,
    @Query('limit') limit?: string,
  ): Promise<object> {
    const page = pageOf(cursor, limit, UUID);
    if (programId !== undefined && !UUID.test(programId)) throw malformed([{ field: 'program_id', problem: 'is not an id' }]);
    const items = await this.catalog.read(tenantId, (tx) => plans.list(tx, tenantId, programId, page.cursor, page.limit));
    return paged(items.map(planAnswer), page, (last) => last.id);
  }

  /** The newest version, and all versions. */
  @Get(':id')
  @Describes({ answer: PlanAnswer })
  async get(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string): Promise<object> {
    const versions = (await this.catalog.read(tenantId, (tx) => plans.versions(tx, tenantId, id))).map(planAnswer);
    const newest = versions.at(-1);
    if (!newest) throw notFound();
    return { ...newest, versions };
  }

  @Post(':id/versions')
  @Describes({ body: PlanVersionBody, answer: PlanAnswer })
  addVersion(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string, @Body() body: PlanVersionBody): Promise<PlanAnswer> {
    const conversionTypes = typesOf(body);
    const terms = {
      reward: checkedReward(body),
      ...(body.name ? { name: body.name } : {}),
      ...(conversionTypes ? { conversionTypes } : {}),
    };
    return this.catalog.change(tenantId, async (tx, change) => {
      const newest = await newestOf(tx, change, id);
      stateChanges(newest.state, 'active'); // A deleted plan gets no new terms.
      return publish(tx, nextPlan(newest, terms, stampOf(change, id), beginningOf(body.valid_from, change.at)));
    });
  }

  /** The terms stay; the state of the newest version is the plan's. */
  @Post(':id/state')
  @Describes({ body: StateBody, answer: PlanAnswer })
  setState(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Body() { state }: StateBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<PlanAnswer> {
    return this.catalog.change(tenantId, async (tx, change) => {
      const newest = await newestOf(tx, change, id);
      if (stateChanges(newest.state, state)) return publish(tx, nextVersion(newest, stampOf(change, id), { state }));
      reply.code(200);
      return { answer: planAnswer(newest), events: [] };
    });
  }
}

async function publish(tx: CatalogTx, plan: PlanData): Promise<Changed<PlanAnswer>> {
  await plans.add(tx, plan);
  return { answer: planAnswer(plan), events: [emit(PlanChanged, plan)] };
}

async function newestOf(tx: CatalogTx, { tenantId }: Change, id: string): Promise<PlanData> {
  const newest = await plans.newest(tx, tenantId, id);
  if (!newest) throw notFound();
  return newest;
}

function checkedReward(words: RewardWords): Pick<PlanData, 'kind' | 'amountMinor' | 'currency' | 'basisPoints'> {
  const check = rewardOf(words);
  if (check.kind === 'refused') throw malformed(check.problems);
  return check.reward;
}

function typesOf({ conversion_types: types }: { conversion_types?: string[] | null }): string[] | undefined {
  const unknown = (types ?? []).filter((type) => !(CONVERSION_TYPES as readonly string[]).includes(type));
  if (unknown.length > 0)
    throw malformed([{ field: 'conversion_types', problem: `names ${unknown.join(', ')}; there are ${CONVERSION_TYPES.join(', ')}` }]);
  return types ?? undefined;
}

const planAnswer = (plan: PlanData): PlanAnswer => ({
  ...entityAnswer(plan),
  program_id: plan.programId,
  name: plan.name,
  kind: plan.kind,
  amount_minor: plan.amountMinor ?? null,
  currency: plan.currency ?? null,
  basis_points: plan.basisPoints ?? null,
  conversion_types: plan.conversionTypes,
  valid_from: plan.validFrom,
});
