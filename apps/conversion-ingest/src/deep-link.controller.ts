import { ApiKeyGuard, type Caller, NeedsScope, TheCaller } from '@baton/platform';
import { Body, Controller, Header, HttpCode, Post, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AnswersDeepLink } from './answers-openapi';
import { DeepLinkBody } from './bodies';
import { type DeepLinkAnswer, DeepLinks } from './deep-links';

@ApiTags('deep links')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1/deep-links')
export class DeepLinkController {
  constructor(private readonly deepLinks: DeepLinks) {}

  @ApiOperation({
    summary: 'After the first start of an app: which click led to it, and what to open. By evidence alone; each click is one device’s.',
    description:
      'Always 200. `matched: false` carries a reason: no_evidence, click_forged, ambiguous, click_injection, too_old, already_claimed. The same device gets the same answer again, with `duplicate: true`.',
  })
  @NeedsScope('deep_links:claim')
  @Header('Cache-Control', 'no-store')
  @HttpCode(200)
  @AnswersDeepLink()
  @Post('claim')
  claim(@TheCaller() caller: Caller, @Body() body: DeepLinkBody): Promise<DeepLinkAnswer> {
    return this.deepLinks.claim(caller.tenantId, body);
  }
}
