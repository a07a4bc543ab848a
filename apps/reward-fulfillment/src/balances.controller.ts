import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { ApiKeyGuard, type Caller, NeedsScope, TheCaller } from '@baton/platform';
import { IsOptional, IsUUID } from 'class-validator';
import { PostgresReadingStore, type ReadingStore } from './reading.store';

export class BalancesQuery {
  @ApiPropertyOptional({ format: 'uuid', description: 'Only the accounts of this partner.' }) @IsOptional() @IsUUID() partner_id?: string;
}

export class BalanceView {
  @ApiProperty({
    example: 'partner:33333333-3333-4333-8333-333333333333:payable',
    description: 'program:<id>:expense, or partner:<id>:held, :payable',
  })
  account!: string;
  @ApiProperty({ example: 'EUR' }) currency!: string;
  @ApiProperty({ example: 1200, description: 'Minor units. Positive: owed to the partner. An expense is negative.' }) amount_minor!: number;
}

export class BalancesView {
  @ApiProperty({ type: [BalanceView] }) balances!: readonly BalanceView[];
}

@ApiTags('balances')
@UseGuards(ApiKeyGuard)
@Controller('v1/balances')
export class BalancesController {
  constructor(@Inject(PostgresReadingStore) private readonly store: ReadingStore) {}

  @Get()
  @NeedsScope('rewards:read')
  @ApiOkResponse({ type: BalancesView })
  async balances(@TheCaller() caller: Caller, @Query() query: BalancesQuery): Promise<BalancesView> {
    return { balances: await this.store.balances(caller.tenantId, query.partner_id) };
  }
}
