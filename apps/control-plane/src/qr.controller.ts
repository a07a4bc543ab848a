import { Controller, Get, Header, Inject, Param, Query, StreamableFile } from '@nestjs/common';
import { ApiBearerAuth, ApiProduces, ApiQuery, ApiTags } from '@nestjs/swagger';
import { HOST } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { toBuffer, toString } from 'qrcode';
import { TheTenant } from './caller';
import { CatalogStore } from './catalog.store';
import { domains } from './domain.store';
import { Describes, IdPipe, malformed, notFound } from './edge';
import { LinkMint } from './link-mint';
import { links } from './link.store';

const LEVELS = ['L', 'M', 'Q', 'H'] as const;
type Level = (typeof LEVELS)[number];

export interface QrQuery {
  readonly size?: string;
  readonly margin?: string;
  readonly level?: string;
  readonly domain?: string;
}

const QrQueries = (): MethodDecorator => (target, key, descriptor: PropertyDescriptor) => {
  for (const [name, description] of [
    ['size', 'Width and height in pixels, 64 to 2048; 512'],
    ['margin', 'Quiet zone in modules, 0 to 16; 4 is what scanners ask for'],
    ['level', 'Error correction: L, M, Q or H; M'],
    ['domain', 'One of the tenant’s active domains, in place of the platform’s'],
  ] as const)
    ApiQuery({ name, description, required: false })(target, key, descriptor);
};

/** A link's share URL, to be printed. */
@ApiTags('links')
@ApiBearerAuth()
@Controller('v1/links')
export class QrController {
  constructor(
    @Inject(CatalogStore) private readonly catalog: CatalogStore,
    @Inject(LinkMint) private readonly mint: LinkMint,
  ) {}

  @Get(':id/qr.svg')
  @ApiProduces('image/svg+xml')
  @QrQueries()
  @Describes({})
  @Header('Content-Type', 'image/svg+xml; charset=utf-8')
  async svg(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string, @Query() query: QrQuery): Promise<string> {
    const options = optionsOf(query);
    return toString(await this.shareUrl(tenantId, id, query.domain), { ...options, type: 'svg' });
  }

  @Get(':id/qr.png')
  @ApiProduces('image/png')
  @QrQueries()
  @Describes({})
  async png(@TheTenant() tenantId: string, @Param('id', IdPipe) id: string, @Query() query: QrQuery): Promise<StreamableFile> {
    const options = optionsOf(query);
    return new StreamableFile(await toBuffer(await this.shareUrl(tenantId, id, query.domain), { ...options, type: 'png' }), {
      type: 'image/png',
    });
  }

  private shareUrl(tenantId: string, id: string, host: string | undefined): Promise<string> {
    return this.catalog.read(tenantId, async (tx) => {
      const link = await links.find(tx, tenantId, id);
      if (!link) throw notFound();
      // On paper it would outlive the link.
      if (link.state === 'deleted') throw new Problem('deleted', 'This link was deleted: a code of it would lead nowhere.');
      if (host === undefined) return this.mint.shareUrl(link.slug);
      // A repeated parameter arrives as a list.
      const domain = typeof host === 'string' && HOST.test(host) ? await domains.ofHost(tx, tenantId, host) : null;
      if (domain?.state !== 'active') throw malformed([{ field: 'domain', problem: `"${host}" is not an active domain of this tenant` }]);
      return this.mint.shareUrl(link.slug, domain.host);
    });
  }
}

function optionsOf({ size, margin, level }: QrQuery): { width: number; margin: number; errorCorrectionLevel: Level } {
  const problems = [
    ...wholeProblem('size', size, 64, 2048),
    ...wholeProblem('margin', margin, 0, 16),
    ...(level === undefined || LEVELS.includes(level as Level) ? [] : [{ field: 'level', problem: `must be one of ${LEVELS.join(', ')}` }]),
  ];
  if (problems.length > 0) throw malformed(problems);
  return { width: Number(size ?? 512), margin: Number(margin ?? 4), errorCorrectionLevel: (level ?? 'M') as Level };
}

const wholeProblem = (field: string, text: string | undefined, min: number, max: number) =>
  text === undefined || (/^\d{1,4}$/.test(text) && Number(text) >= min && Number(text) <= max)
    ? []
    : [{ field, problem: `must be a whole number from ${min} to ${max}` }];
