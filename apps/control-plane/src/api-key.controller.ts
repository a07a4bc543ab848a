import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import {
  ApiKeyChanged,
  emit,
  Flag,
  Instant,
  Optional,
  Pattern,
  SCOPES,
  SCOPES_OF_KEY_MAX,
  type Scope,
  Text,
  TextList,
  UUID,
} from '@baton/contracts';
import { mintApiKey, Problem } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import { apiKeys, type NamedApiKey } from './api-key.store';
import { type Caller, TheCaller, TheTenant } from './caller';
import { CatalogStore } from './catalog.store';
import { firstVersion, nextVersion } from './domain/stamp';
import {
  answered,
  CreateBody,
  Describes,
  EntityAnswer,
  entityAnswer,
  IdPipe,
  malformed,
  notFound,
  paged,
  pageOf,
  type Reply,
  stampOf,
  stateChanges,
} from './edge';

export class ApiKeyBody extends CreateBody {
  @Text(200) name!: string;
  @TextList(SCOPES_OF_KEY_MAX, 64) scopes!: Scope[];
  /** Conversions of a test key do everything and never reach money. */
  @Optional() @Flag() test?: boolean;
  @Optional() @Instant() expires_at?: string;
}

export class ApiKeyAnswer extends EntityAnswer {
  @Text(200) name!: string;
  @Pattern(/^[0-9a-f]{8}$/) short_id!: string;
  @TextList(SCOPES_OF_KEY_MAX, 64) scopes!: Scope[];
  @Flag() test!: boolean;
  @Optional() @Instant() expires_at!: string | null;
}

export class NewApiKeyAnswer extends ApiKeyAnswer {
  /** Shown once, in the answer that made it; null when the same request is repeated, since nobody keeps it. */
  @Optional() @Text(200) key!: string | null;
}

/** Rotation: make a second key, change over, revoke the first. */
@ApiTags('api-keys')
@ApiBearerAuth()
@Controller('v1/api-keys')
export class ApiKeyController {
  constructor(@Inject(CatalogStore) private readonly catalog: CatalogStore) {}

  @Post()
  @Describes({ body: ApiKeyBody, answer: NewApiKeyAnswer })
  async create(
    @TheTenant() tenantId: string,
    @TheCaller() caller: Caller,
    @Body() body: ApiKeyBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<NewApiKeyAnswer> {
    const id = body.id ?? randomUUID();
    const test = body.test ?? false;
    mayGive(caller, body.scopes, test);
    const { text, digest, shortId } = mintApiKey(test);
    const created = await this.catalog.create({ tenantId, kind: 'api_key', id, body }, async (tx, change) => {
      if (body.expires_at && body.expires_at <= change.at)
        throw malformed([{ field: 'expires_at', problem: `is over; it is ${change.at} now` }]);
      const data = {
        ...firstVersion(stampOf(change, id)),
        digest,
        scopes: [...new Set(body.scopes)],
        test,
        kind: 'secret' as const,
        expiresAt: body.expires_at ?? null,
      };
      const key = { data, name: body.name, shortId };
      // Ids of keys are unique over all tenants, and the answer is the same whoever has it.
      if (!(await apiKeys.add(tx, key))) throw new Problem('conflict', 'This id cannot be used. Choose a new random one, or leave it out.');
      return { answer: keyAnswer(key), events: [emit(ApiKeyChanged, data)] };
    });
    return { ...answered(reply, created), key: created.kind === 'made' ? text : null };
  }

  @Get()
  async list(@TheTenant() tenantId: string, @Query('cursor') cursor?: string, @Query('limit') limit?: string): Promise<object> {
    const page = pageOf(cursor, limit, UUID);
    const items = await this.catalog.read(tenantId, (tx) => apiKeys.list(tx, tenantId, page.cursor, page.limit));
    return paged(items.map(keyAnswer), page, (last) => last.id);
  }

  @Get(':id')
  @Describes({ answer: ApiKeyAnswer })
  async get(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string): Promise<ApiKeyAnswer> {
    const key = await this.catalog.read(tenantId, (tx) => apiKeys.find(tx, tenantId, id));
    if (!key) throw notFound();
    return keyAnswer(key);
  }

  /** For good. A repeat changes nothing. */
  @Post(':id/revoke')
  @Describes({ answer: ApiKeyAnswer })
  revoke(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string, @Res({ passthrough: true }) reply: Reply): Promise<ApiKeyAnswer> {
    return this.catalog.change(tenantId, async (tx, change) => {
      const key = await apiKeys.find(tx, tenantId, id);
      if (!key) throw notFound();
      if (!stateChanges(key.data.state, 'deleted')) {
        reply.code(200);
        return { answer: keyAnswer(key), events: [] };
      }
      const next = { ...key, data: nextVersion(key.data, stampOf(change, id), { state: 'deleted' }) };
      await apiKeys.put(tx, next);
      return { answer: keyAnswer(next), events: [emit(ApiKeyChanged, next.data)] };
    });
  }
}

/** A key makes no key that can do more than itself. */
function mayGive(caller: Caller, scopes: readonly Scope[], test: boolean): void {
  const unknown = scopes.filter((scope) => !SCOPES.includes(scope));
  if (unknown.length > 0) throw malformed([{ field: 'scopes', problem: `names ${unknown.join(', ')}; there are ${SCOPES.join(', ')}` }]);
  if (scopes.length === 0) throw malformed([{ field: 'scopes', problem: 'names none: such a key could do nothing' }]);
  if (caller.kind === 'operator') return;
  const lacking = scopes.filter((scope) => !caller.scopes.includes(scope));
  if (lacking.length > 0) throw new Problem('scope_missing', `This key lacks ${lacking.join(', ')} itself, so it cannot give it.`);
  if (caller.test && !test) throw new Problem('scope_missing', 'A test key can make test keys only.');
}

const keyAnswer = ({ data, name, shortId }: NamedApiKey): ApiKeyAnswer => ({
  ...entityAnswer(data),
  name,
  short_id: shortId,
  scopes: data.scopes,
  test: data.test,
  expires_at: data.expiresAt ?? null,
});
