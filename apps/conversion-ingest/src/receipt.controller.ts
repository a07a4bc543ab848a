import { UUID } from '@baton/contracts';
import { ApiKeyGuard, type Caller, NeedsScope, Problem, TheCaller } from '@baton/platform';
import { Controller, Get, Param, Query, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiQuery, ApiTags } from '@nestjs/swagger';
import { AnswersReceipt, AnswersReceipts } from './answers-openapi';
import { type Answer, unstorableIn } from './domain';
import { Receipts } from './receipts';

@ApiTags('receipts')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1/receipts')
export class ReceiptController {
  constructor(private readonly receipts: Receipts) {}

  @ApiOperation({
    summary:
      'The receipt of a request, as it was first answered (accepted, or refused in the last 30 days), and what has become of its conversion since: attribution, fraud verdict, rewards, payout, what is left of it.',
  })
  @NeedsScope('receipts:read')
  @AnswersReceipt()
  @Get(':id')
  async one(@TheCaller() caller: Caller, @Param('id') id: string): Promise<Answer> {
    const receipt = UUID.test(id) ? await this.receipts.one(caller.tenantId, id) : null;
    if (!receipt) throw new Problem('not_found', 'There is no such receipt for this key.');
    return receipt;
  }

  @ApiOperation({ summary: 'Every receipt of one external id: the conversion and its reversals, oldest first.' })
  @ApiQuery({ name: 'external_id', required: true })
  @NeedsScope('receipts:read')
  @AnswersReceipts()
  @Get()
  async ofExternalId(@TheCaller() caller: Caller, @Query('external_id') externalId: unknown): Promise<{ receipts: readonly Answer[] }> {
    if (typeof externalId !== 'string' || externalId === '')
      throw new Problem('malformed', 'Name one external_id, as in /v1/receipts?external_id=order-1001.');
    const receipts = unstorableIn(externalId) === null ? await this.receipts.ofExternalId(caller.tenantId, externalId) : [];
    if (receipts.length === 0) throw new Problem('not_found', 'Nothing was accepted under this external_id for this key.');
    return { receipts };
  }
}
