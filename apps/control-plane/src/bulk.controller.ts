import { counter, type Http, type Log, type RowTold, UploadRoute } from '@baton/platform';
import { checkColumns } from './bulk-check';
import type { LinkImport, Verdict } from './bulk-import';
import type { CallerGuard } from './caller';

export interface BulkOptions {
  readonly guard: CallerGuard;
  readonly imports: LinkImport;
  readonly log: Log;
}

type Kind = Verdict['status'];
/** A thousand links hold the catalog's clock for a tenth of a second: that long a single change waits at most. */
const LIMITS = { rowsMax: 1_000, charactersMax: 4 * 1024 * 1024, waitMs: 1_000 };
/** Each holds one batch in memory, and all wait for the same clock. */
const UPLOADS_MAX = 8;

/** `POST /v1/links:bulk`: links by the thousand, answered row by row. */
export class BulkController {
  private readonly imported = counter('baton_links_imported_total', 'Rows of link uploads, by verdict', ['status']);
  private readonly upload: UploadRoute<string, Kind>;

  constructor({ guard, imports, log }: BulkOptions) {
    this.upload = new UploadRoute<string, Kind>({
      path: '/v1/links::bulk',
      kinds: ['created', 'exists', 'rejected'],
      rejected: 'rejected',
      dryRun: 'dry_run',
      example: 'program_id,partner_id,destination',
      limits: LIMITS,
      uploadsMax: UPLOADS_MAX,
      log,
      admit: async (request) => {
        const tenantId = await guard.tenantFor(request);
        return { owner: tenantId, caller: tenantId };
      },
      begin: (tenantId, opening) => {
        const columns = opening.columns?.map((column) => column.toLowerCase()) ?? null;
        if (columns) checkColumns(columns);
        let newest = 0;
        return {
          take: async (rows) => {
            const { verdicts, catalogVersion } = await imports.take(rows, { ...opening, tenantId, columns });
            newest = Math.max(newest, catalogVersion);
            return this.counted(verdicts);
          },
          last: () => ({ catalog_version: opening.isDryRun ? null : newest }),
        };
      },
    });
  }

  routes(http: Http): void {
    this.upload.routes(http);
  }

  private counted(verdicts: readonly Verdict[]): RowTold<Kind>[] {
    for (const status of ['created', 'exists', 'rejected'] as const)
      this.imported.inc({ status }, verdicts.filter((v) => v.status === status).length);
    return verdicts.map((told) => ({ kind: told.status, told }));
  }
}
