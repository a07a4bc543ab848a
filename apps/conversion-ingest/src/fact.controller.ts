import { ApiKeyGuard, type Caller, NeedsScope, TheCaller, traceparentOf } from '@baton/platform';
import { Body, Controller, Headers, Post, Res, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ConversionBody, IdentityBody, ReversalBody } from './bodies';
import type { Answer } from './domain';
import { type Accepted, Intake } from './intake';

interface Reply {
  code(status: number): Reply;
  header(name: string, value: string): Reply;
}
type RequestHeaders = Record<string, string | string[] | undefined>;

@ApiTags('facts')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1')
export class FactController {
  constructor(private readonly intake: Intake) {}

  @ApiOperation({ summary: 'Tell of a conversion. 201: stored; 200: it was stored before; anything else stored nothing.' })
  @NeedsScope('conversions:write')
  @Post('conversions')
  async conversion(
    @TheCaller() caller: Caller,
    @Body() body: ConversionBody,
    @Headers() headers: RequestHeaders,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return answer(reply, await this.intake.conversion(caller, body, traceparentOf(headers)));
  }

  @ApiOperation({ summary: 'Take a conversion back, wholly or in part; it may arrive before the conversion.' })
  @NeedsScope('reversals:write')
  @Post('reversals')
  async reversal(
    @TheCaller() caller: Caller,
    @Body() body: ReversalBody,
    @Headers() headers: RequestHeaders,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return answer(reply, await this.intake.reversal(caller, body, traceparentOf(headers)));
  }

  @ApiOperation({ summary: 'Say that identifiers belong to one person.' })
  @NeedsScope('identities:write')
  @Post('identities')
  async identity(
    @TheCaller() caller: Caller,
    @Body() body: IdentityBody,
    @Headers() headers: RequestHeaders,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<Answer> {
    return answer(reply, await this.intake.identity(caller, body, traceparentOf(headers)));
  }
}

/** A repeat gets the first answer to the letter; only the headers say that it is one. */
function answer(reply: Reply, { kind, receiptId, answer: body }: Accepted): Answer {
  reply.header('Baton-Receipt', receiptId).header('Baton-Verdict', kind).header('Baton-Reason', kind);
  if (kind === 'duplicate') reply.code(200).header('Baton-Replayed', 'true');
  return body;
}
