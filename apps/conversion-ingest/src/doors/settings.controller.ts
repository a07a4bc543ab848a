import { ApiKeyGuard, type Caller, NeedsScope, Problem, TheCaller } from '@baton/platform';
import { Body, Controller, Get, Param, Post, Put, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiBody, ApiOperation, ApiTags } from '@nestjs/swagger';
import { isObject } from './shape';
import { type EndpointAsked, TenantDoors } from './tenant-doors';

const ENDPOINT = {
  type: 'object',
  properties: {
    secrets: {
      type: 'array',
      items: { type: 'string' },
      description: 'Kept sealed, never shown again. Several count at once: name old and new while you rotate.',
    },
    settings: { type: 'object', description: 'They stand over the door’s own.' },
    state: { type: 'string', enum: ['active', 'disabled'] },
  },
};

/** What a tenant sets for the doors: the dialects beside our own API. */
@ApiTags('doors')
@ApiBearerAuth()
@UseGuards(ApiKeyGuard)
@Controller('v1/doors')
export class DoorSettingsController {
  constructor(private readonly doors: TenantDoors) {}

  @ApiOperation({
    summary: 'Every door, what you set for it, and its endpoints. Secrets are not shown, but for their last four characters.',
  })
  @NeedsScope('catalog:read')
  @Get()
  async list(@TheCaller() caller: Caller): Promise<{ doors: readonly object[] }> {
    return { doors: await this.doors.list(caller) };
  }

  @ApiOperation({ summary: 'Replace the settings of a door. Under keys.<id of an API key> stand those of one key. In force within 5 s.' })
  @ApiBody({ schema: { type: 'object' } })
  @NeedsScope('catalog:write')
  @Put(':door')
  set(@TheCaller() caller: Caller, @Param('door') door: string, @Body() settings: unknown): Promise<object> {
    return this.doors.set(caller, door, settings);
  }

  @ApiOperation({ summary: 'Make an endpoint whose callers sign, such as Stripe. One of a test key takes test events alone.' })
  @ApiBody({ schema: { ...ENDPOINT, required: ['secrets'] } })
  @NeedsScope('catalog:write')
  @Post(':door/endpoints')
  makeEndpoint(@TheCaller() caller: Caller, @Param('door') door: string, @Body() body: unknown): Promise<object> {
    return this.doors.makeEndpoint(caller, door, asked(body, ['secrets', 'settings']));
  }

  @ApiOperation({ summary: 'Change an endpoint: what is named is replaced.' })
  @ApiBody({ schema: ENDPOINT })
  @NeedsScope('catalog:write')
  @Put(':door/endpoints/:id')
  changeEndpoint(
    @TheCaller() caller: Caller,
    @Param('door') door: string,
    @Param('id') id: string,
    @Body() body: unknown,
  ): Promise<object> {
    return this.doors.changeEndpoint(caller, door, id, asked(body, ['secrets', 'settings', 'state']));
  }
}

function asked(body: unknown, names: readonly string[]): EndpointAsked {
  if (!isObject(body)) throw new Problem('malformed', 'Send a JSON object.');
  const errors = Object.keys(body)
    .filter((name) => !names.includes(name))
    .map((name) => ({ field: name, problem: `${name} is not known here; there are ${names.join(', ')}` }));
  if (errors.length > 0) throw new Problem('malformed', errors.map(({ problem }) => problem).join('; '), { errors });
  return body;
}
