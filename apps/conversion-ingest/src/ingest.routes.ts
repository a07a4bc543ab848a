import { apiKeyRoutes, catalogRoutes, type Route } from '@baton/platform';

/** What this service keeps of other services' knowledge: programs and links to tell a conversion's program, partners to tell an app who sent it, digests of API keys. */
export const ingestRoutes = (): Route[] => [...catalogRoutes(['program', 'partner', 'link']), ...apiKeyRoutes()];
