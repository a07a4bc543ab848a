import { ApiKeyGuard, type Caller, NeedsScope, TheCaller, traceparentOf } from '@baton/platform';
import { Body, Controller, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiExtraModels, ApiHeader, ApiOperation, ApiQuery, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { type FactRequest, type Reply, tell } from './answered';
import { ConversionBody, IdentityBody, ReversalBody, ReversalByIdBody, VerificationBody } from './bodies';
import type { Answer } from './domain';
import { readIdempotencyKey } from './idempotency-key';
import { Intake } from './intake';
import type { PostedKind } from './posted';

const ValidateOnly = () =>
  ApiQuery({ name: 'validate_only', required: false, type: Boolean, description: 'Runs everything and stores nothing.' });
const IdempotencyKey = () =>
  ApiHeader({ name: 'Idempotency-Key', required: false, description: 'Your own key of this request, bare or quoted. It never expires.' });

@ApiTags('facts')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1')
export class FactController {
  constructor(private readonly intake: Intake) {}

  @ApiOperation({ summary: 'Tell of a conversion. 201: stored; 200: it was stored before; anything else stored nothing.' })
  @ApiBody({ type: ConversionBody })
  @ValidateOnly()
  @IdempotencyKey()
  @NeedsScope('conversions:write')
  @Post('conversions')
  conversion(
    @TheCaller() caller: Caller,
    @Body() body: unknown,
    @Query() query: unknown,
    @Req() request: FactRequest,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return this.take('conversion', caller, { body, query, request, reply });
  }

  @ApiOperation({
    summary:
      'Take conversions back, wholly or in part: one by its id, which may arrive later, or all of an order, a click, a customer, an address.',
  })
  @ApiExtraModels(ReversalByIdBody, ReversalBody)
  @ApiBody({ schema: { oneOf: [{ $ref: getSchemaPath(ReversalByIdBody) }, { $ref: getSchemaPath(ReversalBody) }] } })
  @ValidateOnly()
  @IdempotencyKey()
  @NeedsScope('reversals:write')
  @Post('reversals')
  reversal(
    @TheCaller() caller: Caller,
    @Body() body: unknown,
    @Query() query: unknown,
    @Req() request: FactRequest,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return this.take('reversal', caller, { body, query, request, reply });
  }

  @ApiOperation({ summary: 'Say that identifiers belong to one person.' })
  @ApiBody({ type: IdentityBody })
  @ValidateOnly()
  @IdempotencyKey()
  @NeedsScope('identities:write')
  @Post('identities')
  identity(
    @TheCaller() caller: Caller,
    @Body() body: unknown,
    @Query() query: unknown,
    @Req() request: FactRequest,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return this.take('identity', caller, { body, query, request, reply });
  }

  @ApiOperation({ summary: 'Say that a conversion that was told of as pending_verification is one; it may arrive before the conversion.' })
  @ApiBody({ type: VerificationBody })
  @ValidateOnly()
  @IdempotencyKey()
  @NeedsScope('conversions:write')
  @Post('verifications')
  verification(
    @TheCaller() caller: Caller,
    @Body() body: unknown,
    @Query() query: unknown,
    @Req() request: FactRequest,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return this.take('verification', caller, { body, query, request, reply });
  }

  private async take(kind: PostedKind, caller: Caller, { body, query, request, reply }: Asked): Promise<Answer> {
    const { validateOnly, posted } = readValidateOnly(body, query);
    const told = await this.intake.take(
      caller,
      { kind, body: posted },
      {
        door: 'api',
        traceparent: traceparentOf(request.headers),
        validateOnly,
        idempotencyKey: readIdempotencyKey(request.headers['idempotency-key']),
      },
    );
    tell(request, reply, [told]);
    if (told.kind === 'rejected') throw told.problem;
    // A repeat gets the first answer to the letter; only the status and the headers say that it is one.
    if (told.kind !== 'accepted') reply.code(200);
    return told.answer;
  }
}

interface Asked {
  readonly body: unknown;
  readonly query: unknown;
  readonly request: FactRequest;
  readonly reply: Reply;
}

/** `validate_only` may stand in the query or in the body; it is no part of the fact. */
export function readValidateOnly(body: unknown, query: unknown): { readonly validateOnly: boolean; readonly posted: unknown } {
  const asked = (query as { validate_only?: unknown } | null)?.validate_only;
  const byQuery = asked === 'true' || asked === '1' || asked === '';
  if (typeof body !== 'object' || body === null || !('validate_only' in body) || typeof body.validate_only !== 'boolean')
    return { validateOnly: byQuery, posted: body };
  const { validate_only: byBody, ...posted } = body;
  return { validateOnly: byQuery || byBody === true, posted };
}
