import { ApiKeyGuard, type Caller, type FieldProblem, NeedsScope, Problem, TakesBody, TheCaller, traceparentOf } from '@baton/platform';
import { Body, Controller, HttpCode, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiHeader, ApiOkResponse, ApiOperation, ApiProperty, ApiQuery, ApiTags } from '@nestjs/swagger';
import { type FactRequest, type Reply, tell } from './answered';
import { ConversionBody } from './bodies';
import { readValidateOnly } from './fact';
import { readIdempotencyKey } from './idempotency-key';
import { Intake, type Told } from './intake';
import { isToBeSentAgain, takeMany, verdictOf } from './many';
import type { Posted, PostedKind } from './posted';

const BATCH_MAX_BYTES = 500 * 1024;
const ITEMS_MAX = 500;
const KINDS: readonly unknown[] = ['conversion', 'reversal', 'identity', 'verification'] satisfies PostedKind[];

/** Each item counts towards the key's limit. */
const lengthOf = (body: unknown): number => {
  const { conversions } = (body ?? {}) as { readonly conversions?: unknown };
  return Array.isArray(conversions) ? Math.min(Math.max(conversions.length, 1), ITEMS_MAX) : 1;
};

class BatchBody {
  @ApiProperty({
    type: () => [ConversionBody],
    minItems: 1,
    maxItems: ITEMS_MAX,
    description:
      'Each as POST /v1/conversions takes it. With "kind" ("reversal", "identity", "verification") an item is what the route of that name takes, and needs its scope.',
  })
  conversions!: ConversionBody[];
  @ApiProperty({ required: false, description: 'Runs everything and stores nothing.' }) validate_only?: boolean;
}

class BatchAnswer {
  @ApiProperty({
    type: 'array',
    description: 'In the order in which they were sent: the answer, or the problem, that each would have had alone.',
    items: {
      type: 'object',
      required: ['index', 'status', 'verdict', 'reason', 'receipt_id'],
      properties: {
        index: { type: 'integer', minimum: 0 },
        status: { type: 'integer', example: 201 },
        verdict: { type: 'string', enum: ['accepted', 'duplicate', 'validated', 'rejected'] },
        reason: { type: 'string', description: 'unavailable and over_quota: send this one again.' },
        receipt_id: { type: 'string', format: 'uuid', nullable: true },
      },
    },
  })
  items!: object[];
  @ApiProperty() accepted!: number;
  @ApiProperty() duplicate!: number;
  @ApiProperty() rejected!: number;
  @ApiProperty() validated!: number;
}

@ApiTags('facts')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1')
export class BatchController {
  constructor(private readonly intake: Intake) {}

  @ApiOperation({
    summary: `Up to ${ITEMS_MAX} conversions at once, in ${BATCH_MAX_BYTES / 1024} kB. 200: every item has its own verdict; anything else stored nothing.`,
  })
  @ApiBody({ type: BatchBody })
  @ApiOkResponse({ type: BatchAnswer })
  @ApiQuery({ name: 'validate_only', required: false, type: Boolean, description: 'Runs everything and stores nothing.' })
  @ApiHeader({ name: 'Idempotency-Key', required: false, description: 'Your own key of this batch; its items’ are key#index.' })
  @NeedsScope('conversions:write', lengthOf)
  @TakesBody(BATCH_MAX_BYTES)
  @HttpCode(200)
  @Post('conversions/batch')
  async batch(
    @TheCaller() caller: Caller,
    @Body() body: unknown,
    @Query() query: unknown,
    @Req() request: FactRequest,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<BatchAnswer> {
    const { validateOnly, posted } = readValidateOnly(body, query);
    const told = await takeMany(this.intake, caller, itemsOf(posted), {
      door: 'api',
      traceparent: traceparentOf(request.headers),
      validateOnly,
      idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
    });
    tell(request, reply, told);
    const retryAfter = told.find(isToBeSentAgain)?.problem.more.headers?.['Retry-After'];
    if (retryAfter) reply.header('Retry-After', retryAfter);
    const count = (kind: Told['kind']): number => told.filter((one) => one.kind === kind).length;
    return {
      items: told.map((one, index) => ({ index, ...verdictOf(one) })),
      accepted: count('accepted'),
      duplicate: count('duplicate'),
      rejected: count('rejected'),
      validated: count('validated'),
    };
  }
}

/** Throws what is wrong with the batch itself. */
function itemsOf(body: unknown): Posted[] {
  const { conversions, ...more } = (body ?? {}) as Record<string, unknown>;
  const problems: FieldProblem[] = Object.keys(more).map((field) => ({ field, problem: `${field.slice(0, 64)} should not exist` }));
  if (!Array.isArray(conversions) || conversions.length === 0)
    problems.push({ field: 'conversions', problem: `conversions must be a list of 1 to ${ITEMS_MAX} conversions` });
  if (problems.length > 0) throw new Problem('malformed', problems.map(({ problem }) => problem).join('; '), { errors: problems });
  const items = conversions as unknown[];
  if (items.length > ITEMS_MAX)
    throw new Problem('too_large', `The batch has ${items.length} conversions; send at most ${ITEMS_MAX} at once, or upload a file.`);
  return items.map(itemOf);
}

function itemOf(item: unknown): Posted {
  if (typeof item !== 'object' || item === null || !('kind' in item)) return { kind: 'conversion', body: item };
  const { kind, ...body } = item;
  if (KINDS.includes(kind)) return { kind: kind as PostedKind, body };
  const problem = 'kind must be conversion, reversal, identity or verification';
  return { kind: 'conversion', body, problem: new Problem('malformed', problem, { errors: [{ field: 'kind', problem }] }) };
}
