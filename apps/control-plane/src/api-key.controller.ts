import { Body, Controller, Get, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { ApiKeyChanged, type ApiKeyData, emit, UUID } from '@baton/contracts';
import { mintApiKey, Problem, signingSecretOf } from '@baton/platform';
import { randomUUID } from 'node:crypto';
import {
  ApiKeyAnswer,
  ApiKeyBody,
  checkedLimits,
  mayGive,
  NewApiKeyAnswer,
  OVERLAP_DEFAULT_S,
  RotateBody,
  RotatedApiKeyAnswer,
} from './api-key.body';
import { apiKeys, type NamedApiKey } from './api-key.store';
import { type Caller, TheCaller, TheTenant } from './caller';
import { CatalogStore, type CatalogTx, type Change, type Created } from './catalog.store';
import { firstVersion, nextVersion } from './domain/stamp';
import { answered, Describes, entityAnswer, IdPipe, malformed, notFound, paged, pageOf, type Reply, stampOf, stateChanges } from './edge';
import { programs } from './program.store';

/** The env's POSTBACK_SIGNING_ROOT, if it is set. */
export abstract class SigningRoot {
  abstract readonly text: string | null;
}

/** What a key is beside its stamp, its digest and its kind. */
type Terms = Pick<ApiKeyData, 'scopes' | 'test' | 'expiresAt' | 'programId' | 'rateLimit' | 'allowedAddresses' | 'signed'>;

@ApiTags('api-keys')
@ApiBearerAuth()
@Controller('v1/api-keys')
export class ApiKeyController {
  constructor(
    @Inject(CatalogStore) private readonly catalog: CatalogStore,
    @Inject(SigningRoot) private readonly root: SigningRoot,
  ) {}

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
    const minted = mintApiKey(test);
    const created = await this.catalog.create({ tenantId, kind: 'api_key', id, body }, async (tx, change) => {
      const limits = checkedLimits(body, { now: change.at, canSign: this.root.text !== null });
      if (body.program_id && !(await programs.newest(tx, tenantId, body.program_id)))
        throw new Problem('program_unknown', 'program_id names no program of this tenant.');
      const key = newKey({ ...limits, ...termsOf(body), test }, { name: body.name, id, change, minted });
      await added(tx, key);
      return { answer: keyAnswer(key), events: [emit(ApiKeyChanged, key.data)] };
    });
    return this.shown(answered(reply, created), created, minted.text);
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

  /** A second key that may do the same; both work until the first expires. `id` is the new key's, and makes a repeat safe. */
  @Post(':id/rotate')
  @Describes({ body: RotateBody, answer: RotatedApiKeyAnswer })
  async rotate(
    @TheTenant() tenantId: string,
    @TheCaller() caller: Caller,
    @Param('id', IdPipe) replaces: string,
    @Body() body: RotateBody,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<RotatedApiKeyAnswer> {
    const id = body.id ?? randomUUID();
    const before = await this.catalog.read(tenantId, (tx) => apiKeys.find(tx, tenantId, replaces));
    if (!before) throw notFound();
    mayGive(caller, before.data.scopes, before.data.test);
    const minted = mintApiKey(before.data.test);
    const created = await this.catalog.create({ tenantId, kind: 'api_key', id, body: { ...body, replaces } }, async (tx, change) => {
      const old = await apiKeys.find(tx, tenantId, replaces);
      if (old?.data.state !== 'active') throw new Problem('deleted', 'This key was revoked, and that is final. Make a new one.');
      if (body.expires_at && body.expires_at <= change.at)
        throw malformed([{ field: 'expires_at', problem: `is over; it is ${change.at} now` }]);
      const key = newKey({ ...old.data, expiresAt: body.expires_at ?? null }, { name: old.name, id, change, minted });
      await added(tx, key);
      const until = new Date(Date.parse(change.at) + (body.overlap_seconds ?? OVERLAP_DEFAULT_S) * 1_000).toISOString();
      // A key that was to end sooner still does.
      const expiresAt = old.data.expiresAt && old.data.expiresAt < until ? old.data.expiresAt : until;
      const ending = { ...old, data: nextVersion(old.data, stampOf(change, replaces), { expiresAt }) };
      await apiKeys.put(tx, ending);
      const answer = { ...keyAnswer(key), replaces, replaced_expires_at: expiresAt };
      // The new key first: who reads the topic in order never knows neither.
      return { answer, events: [emit(ApiKeyChanged, key.data), emit(ApiKeyChanged, ending.data)] };
    });
    return this.shown(answered(reply, created), created, minted.text);
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

  /** With its secrets, in the first answer alone. */
  private shown<A extends ApiKeyAnswer>(
    answer: A,
    { kind }: Created<A>,
    text: string,
  ): A & Pick<NewApiKeyAnswer, 'key' | 'signing_secret'> {
    const isNew = kind === 'made';
    const secret = isNew && answer.signed && this.root.text !== null ? signingSecretOf(this.root.text, answer.id) : null;
    return { ...answer, key: isNew ? text : null, signing_secret: secret };
  }
}

interface Making {
  readonly name: string;
  readonly id: string;
  readonly change: Change;
  readonly minted: ReturnType<typeof mintApiKey>;
}

function newKey(
  { scopes, test, expiresAt, programId, rateLimit, allowedAddresses, signed }: Terms,
  { name, id, change, minted }: Making,
): NamedApiKey {
  const data = {
    ...firstVersion(stampOf(change, id)),
    digest: minted.digest,
    scopes: [...new Set(scopes)],
    test,
    kind: 'secret' as const,
    expiresAt,
    programId,
    rateLimit,
    allowedAddresses,
    signed,
  };
  return { data, name, shortId: minted.shortId };
}

const termsOf = ({ scopes, expires_at, program_id }: ApiKeyBody) => ({
  scopes,
  expiresAt: expires_at ?? null,
  programId: program_id ?? null,
});

/** Ids of keys are unique over all tenants, and the answer is the same whoever has it. */
async function added(tx: CatalogTx, key: NamedApiKey): Promise<void> {
  if (!(await apiKeys.add(tx, key))) throw new Problem('conflict', 'This id cannot be used. Choose a new random one, or leave it out.');
}

const keyAnswer = ({ data, name, shortId }: NamedApiKey): ApiKeyAnswer => ({
  ...entityAnswer(data),
  name,
  short_id: shortId,
  scopes: data.scopes,
  test: data.test,
  expires_at: data.expiresAt ?? null,
  program_id: data.programId ?? null,
  rate_limit: data.rateLimit ? { requests: data.rateLimit.requests, window_seconds: data.rateLimit.windowSeconds } : null,
  allowed_addresses: data.allowedAddresses ?? null,
  signed: data.signed ?? false,
});
