import { Controller, Get, Inject, Param, Query, UseGuards } from '@nestjs/common';
import { ApiOkResponse, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { UUID } from '@baton/contracts';
import { ApiKeyGuard, type Caller, NeedsScope, Problem, TheCaller } from '@baton/platform';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, IsUUID, Max, MaxLength, Min } from 'class-validator';
import { PostgresReadingStore, type PostingRow, type ReadingStore, type RewardRow, type TracedReward } from './reading.store';

export class RewardsQuery {
  @ApiPropertyOptional({ format: 'uuid' }) @IsOptional() @IsUUID() conversion_id?: string;
  @ApiPropertyOptional({ description: "The advertiser's own id of the conversion." })
  @IsOptional()
  @IsString()
  @MaxLength(255)
  external_id?: string;
  @ApiPropertyOptional({ format: 'uuid' }) @IsOptional() @IsUUID() partner_id?: string;
  @ApiPropertyOptional({ format: 'uuid', description: '`next` of the page before.' }) @IsOptional() @IsUUID() after?: string;
  @ApiPropertyOptional({ default: 100, maximum: 500 }) @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(500) limit?: number;
}

export class RewardView {
  @ApiProperty({ format: 'uuid' }) id!: string;
  @ApiProperty({ enum: ['held', 'payable', 'voided'] }) state!: string;
  @ApiProperty({ example: 'accrued', description: 'Why it changed last.' }) reason!: string;
  @ApiProperty({ example: 1200, description: 'What it is worth now, in minor units.' }) amount_minor!: number;
  @ApiProperty({ example: 'EUR' }) currency!: string;
  @ApiProperty({ format: 'uuid' }) partner_id!: string;
  @ApiProperty({ format: 'uuid' }) conversion_id!: string;
  @ApiProperty({ format: 'date-time', description: 'Nothing is payable before.' }) hold_until!: string;
}

export class RewardsView {
  @ApiProperty({ type: [RewardView] }) rewards!: readonly RewardRow[];
  @ApiPropertyOptional({ format: 'uuid', nullable: true, description: 'Ask again with ?after=; null on the last page.' }) next!:
    string | null;
}

export class TracedRewardView extends RewardView {
  @ApiProperty({ description: 'The conversion that earned it: id, external_id, receipt_id, amounts, reversals.' }) conversion!: Record<
    string,
    unknown
  >;
  @ApiProperty({ description: 'Who was credited, by which click, as of the newest revision.' }) attribution!: Record<string, unknown>;
  @ApiProperty({ description: 'Whether it can be trusted, and why.' }) verdict!: Record<string, unknown>;
  @ApiProperty({ description: 'Every step in the ledger; the entries of each sum to zero.' }) postings!: readonly PostingRow[];
}

@ApiTags('rewards')
@UseGuards(ApiKeyGuard)
@Controller('v1/rewards')
export class RewardsController {
  constructor(@Inject(PostgresReadingStore) private readonly store: ReadingStore) {}

  @Get()
  @NeedsScope('rewards:read')
  @ApiOkResponse({ type: RewardsView })
  async list(@TheCaller() caller: Caller, @Query() query: RewardsQuery): Promise<RewardsView> {
    const limit = query.limit ?? 100;
    const rows = await this.store.rewards(caller.tenantId, {
      conversionId: query.conversion_id,
      externalId: query.external_id,
      partnerId: query.partner_id,
      after: query.after,
      limit: limit + 1,
    });
    const rewards = rows.slice(0, limit);
    return { rewards, next: rows.length > limit ? (rewards.at(-1)?.id ?? null) : null };
  }

  @Get(':id')
  @NeedsScope('rewards:read')
  @ApiOkResponse({ type: TracedRewardView })
  async one(@TheCaller() caller: Caller, @Param('id') id: string): Promise<TracedRewardView> {
    const traced = UUID.test(id) ? await this.store.trace(caller.tenantId, id) : null;
    if (!traced) throw new Problem('not_found', `There is no reward ${id.slice(0, 64)} for this key.`);
    return viewOf(traced);
  }
}

/** The way back from the money to the click. */
function viewOf({ reward, postings, verdict }: TracedReward): TracedRewardView {
  const { attribution } = verdict;
  const { conversion } = attribution;
  return {
    ...reward,
    conversion: {
      id: attribution.conversionId,
      external_id: conversion.externalId,
      receipt_id: conversion.receiptId,
      type: conversion.type,
      amount_minor: conversion.amountMinor,
      net_amount_minor: conversion.netAmountMinor,
      currency: conversion.currency,
      occurred_at: conversion.occurredAt,
      reversals: conversion.reversals.map((r) => ({ id: r.reversalId, amount_minor: r.amountMinor, occurred_at: r.occurredAt })),
    },
    attribution: {
      revision: attribution.revision,
      outcome: attribution.outcome,
      reason: attribution.reason,
      program_id: attribution.programId ?? null,
      model: attribution.model
        ? { name: attribution.model.name, version: attribution.model.version, program_version: attribution.model.programVersion }
        : null,
      credits: attribution.credits.map((credit) => ({
        click_id: credit.clickId,
        link_id: credit.linkId,
        partner_id: credit.partnerId,
        share: `${credit.shareNumerator}/${credit.shareDenominator}`,
        evidence: credit.evidence,
        occurred_at: credit.occurredAt,
        recorded: credit.recorded,
        sub_ids: credit.subIds,
      })),
    },
    verdict: {
      seq: verdict.verdictSeq,
      decision: verdict.decision,
      score: verdict.score,
      reasons: verdict.reasons,
      decided_at: verdict.decidedAt,
    },
    postings,
  };
}
