import { apiKeyRoutes, catalogRoutes, type Route } from '@baton/platform';
import { progressRoutes } from './progress.routes';
import type { ProgressStore } from './progress.store';

/** What this service keeps of other services' knowledge: tenants for their caps on reversals, programs and links to tell a conversion's program, partners to tell an app who sent it, digests of API keys; and what became of conversions, for their receipts. */
export const ingestRoutes = (progress: ProgressStore): Route[] => [
  ...catalogRoutes(['tenant', 'program', 'partner', 'link']),
  ...apiKeyRoutes(),
  ...progressRoutes(progress),
];
