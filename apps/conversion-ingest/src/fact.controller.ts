import { ApiKeyGuard, type Caller, NeedsScope, TheCaller } from '@baton/platform';
import { Body, Controller, Post, Query, Req, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiExtraModels, ApiHeader, ApiOperation, ApiQuery, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { type FactRequest, type Reply } from './answered';
import { AnswersFact } from './answers-openapi';
import { ConversionBody, IdentityBody, ReversalBody, ReversalByIdBody, VerificationBody } from './bodies';
import type { Answer } from './domain';
import { takeFact } from './fact';
import { Intake } from './intake';

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
  @AnswersFact()
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
    return takeFact(this.intake, 'conversion', caller, { body, query, request, reply });
  }

  @ApiOperation({
    summary:
      'Take conversions back, wholly or in part: one by its id, which may arrive later, or all of an order, a click, a customer, an address.',
  })
  @ApiExtraModels(ReversalByIdBody, ReversalBody)
  @ApiBody({ schema: { oneOf: [{ $ref: getSchemaPath(ReversalByIdBody) }, { $ref: getSchemaPath(ReversalBody) }] } })
  @AnswersFact()
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
    return takeFact(this.intake, 'reversal', caller, { body, query, request, reply });
  }

  @ApiOperation({ summary: 'Say that identifiers belong to one person.' })
  @ApiBody({ type: IdentityBody })
  @AnswersFact()
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
    return takeFact(this.intake, 'identity', caller, { body, query, request, reply });
  }

  @ApiOperation({ summary: 'Say that a conversion that was told of as pending_verification is one; it may arrive before the conversion.' })
  @ApiBody({ type: VerificationBody })
  @AnswersFact()
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
    return takeFact(this.intake, 'verification', caller, { body, query, request, reply });
  }
}
