import { Body, Controller, Get, Headers, HttpCode, Inject, Param, Post, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiProduces, ApiTags } from '@nestjs/swagger';
import { governedUtm, Optional, type ProgramData, Text, TextList, TextMap, UTM_MEDIUM, Uuid, Whole } from '@baton/contracts';
import { Problem } from '@baton/platform';
import { TheTenant } from './caller';
import { CatalogStore, type CatalogTx } from './catalog.store';
import { csvOf, markdownOf } from './domain/convention-sheet';
import { termsAt } from './domain/destination';
import { landingPage } from './domain/landing';
import { Describes, IdPipe, malformed, notFound } from './edge';
import { agreedOf, takingLinks, takingPartner } from './link-mint';
import { partners } from './partner.store';
import { programs } from './program.store';

export class LinkPreviewBody {
  @Uuid() program_id!: string;
  @Uuid() partner_id!: string;
  @Text(4096) destination!: string;
  /** Choices of the program's UTM convention: `source`, `campaign`, `term`. */
  @Optional() @TextMap(3, 64) utm?: Record<string, string> | null;
}

export class LinkPreviewAnswer {
  /** Where a visitor lands; `{click_id}` stands where each one's own will. */
  @Text(8192) url!: string;
  /** The destination as it would be stored. */
  @Text(2048) destination!: string;
  /** What the redirect puts on it, by parameter name. */
  @TextMap(20, 255) utm!: Record<string, string>;
}

export class ConventionAnswer {
  @Uuid() program_id!: string;
  /** Of the terms that hold now. */
  @Whole(1, 2_147_483_647) version!: number;
  @Text(16) medium!: string;
  @TextList(200, 64) sources!: string[];
  @TextList(200, 64) campaigns!: string[];
  /** Null: any well-formed term. */
  @Optional() @TextList(200, 64) terms!: string[] | null;
}

const MIME = { json: 'application/json', csv: 'text/csv', md: 'text/markdown' } as const;
type Format = keyof typeof MIME;

interface TypedReply {
  type(mime: string): TypedReply;
  header(name: string, value: string): TypedReply;
}

/** How a program's links are marked for analytics: as a list to read, and tried out before a link is made. */
@ApiTags('links')
@ApiBearerAuth()
@Controller()
export class ConventionController {
  constructor(@Inject(CatalogStore) private readonly catalog: CatalogStore) {}

  /** Stores nothing. All problems at once, with the spelling that was probably meant. */
  // Twice the colon: a single one would begin a parameter.
  @Post('v1/links::build')
  @HttpCode(200)
  @Describes({ body: LinkPreviewBody, answer: LinkPreviewAnswer })
  build(@TheTenant() tenantId: string, @Body() body: LinkPreviewBody): Promise<LinkPreviewAnswer> {
    const at = this.catalog.now();
    return this.catalog.read(tenantId, async (tx) => {
      const versions = takingLinks(await programs.versions(tx, tenantId, body.program_id));
      const partner = takingPartner(await partners.find(tx, tenantId, body.partner_id));
      const { destination, utm: chosen } = agreedOf(body, versions, { at, partner });
      const terms = termsAt(versions, at) as ProgramData;
      const utm = terms.utmConvention ? governedUtm(terms.utmConvention, chosen, partner.key) : terms.utm;
      return { url: landingPage(destination, utm, terms.landingParam), destination, utm };
    });
  }

  /** JSON; with `?format=csv` or `Accept: text/csv` a sheet, with `?format=md` or `Accept: text/markdown` a page. */
  @Get('v1/programs/:id/utm-convention')
  @ApiProduces('application/json', 'text/csv', 'text/markdown')
  @Describes({ answer: ConventionAnswer })
  async convention(
    @TheTenant() tenantId: string,
    @Param('id', IdPipe) id: string,
    @Res({ passthrough: true }) reply: TypedReply,
    @Query('format') wanted?: string,
    @Headers('accept') accept?: string,
  ): Promise<object | string> {
    const format = formatOf(wanted, accept);
    const { version, name, utmConvention } = await this.catalog.read(tenantId, (tx) => this.termsOf(tx, tenantId, id));
    if (!utmConvention)
      throw new Problem('not_found', 'This program has no UTM convention. Give it one with utm_convention in a new version.');
    reply.header('Vary', 'Accept');
    if (format === 'json') {
      const { sources, campaigns, terms } = utmConvention;
      return { program_id: id, version, medium: UTM_MEDIUM, sources, campaigns, terms: terms ?? null };
    }
    reply.type(`${MIME[format]}; charset=utf-8`).header('Content-Disposition', `attachment; filename="utm-convention.${format}"`);
    return format === 'csv' ? csvOf(utmConvention) : markdownOf(name, utmConvention);
  }

  private async termsOf(tx: CatalogTx, tenantId: string, id: string): Promise<ProgramData> {
    const terms = termsAt(await programs.versions(tx, tenantId, id), this.catalog.now());
    if (!terms) throw notFound();
    return terms;
  }
}

function formatOf(wanted: string | undefined, accept: string | undefined): Format {
  if (wanted === 'json' || wanted === 'csv' || wanted === 'md') return wanted;
  if (wanted !== undefined) throw malformed([{ field: 'format', problem: 'must be json, csv or md' }]);
  return (Object.keys(MIME) as Format[]).find((format) => accept?.includes(MIME[format])) ?? 'json';
}
