import { ApiKeyGuard, type LiveKey, NeedsScope, TheCaller } from '@baton/platform';
import { Controller, Get, Header, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiOperation, ApiTags } from '@nestjs/swagger';
import { AnswersKey } from '../answers-openapi';
import { CurrentKey, type KeyAnswer } from './current-key';

@ApiTags('keys')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1/keys')
export class KeyController {
  constructor(private readonly current: CurrentKey) {}

  @ApiOperation({ summary: 'What the key of this request may do, and when it was last used. Every live key may ask.' })
  @NeedsScope('any')
  @Header('Cache-Control', 'no-store')
  @AnswersKey()
  @Get('current')
  one(@TheCaller() key: LiveKey): Promise<KeyAnswer> {
    return this.current.answer(key);
  }
}
