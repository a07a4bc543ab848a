import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { bootstrapDatabases, type DatabaseService, type DatabaseUrls, dropDatabases } from './postgres/bootstrap';
import { closeHttp, createHttp } from './http/http';
import { migrate } from './postgres/migrate';
import type { Log } from './run/log';
import { type Composition, moduleOf } from './run/run';

export interface TestDatabase extends DatabaseUrls {
  readonly adminUrl: string;
  drop(): Promise<void>;
}

/** For integration tests: the migrated database of one service, its own for this test, on the real server. */
export async function testDatabase(
  service: DatabaseService,
  { adminUrl, prefix, folder }: { readonly adminUrl: string; readonly prefix: string; readonly folder?: string },
): Promise<TestDatabase> {
  const options = { adminUrl, databasePrefix: prefix, password: passwordFor(adminUrl), services: [service] };
  const urls = (await bootstrapDatabases(options)).get(service) as DatabaseUrls;
  await migrate({ ownerUrl: urls.owner, folder: folder ?? join(__dirname, '../../../apps', service, 'prisma') });
  const ownUrl = new URL(adminUrl);
  ownUrl.pathname = `/${urls.database}`;
  return { ...urls, adminUrl: ownUrl.toString(), drop: () => dropDatabases(options) };
}

/** Roles are the server's, shared by every prefix on it: all who know the server's administrator derive the same password. */
const passwordFor = (adminUrl: string): string =>
  process.env['DATABASE_PASSWORD'] ?? createHash('sha256').update(`baton roles ${adminUrl}`).digest('hex').slice(0, 32);

/** For integration tests: a service as `run` runs it, in this process and on a port of its own. `stop` ends it in the same order. */
export async function serve(composition: Composition, log: Log): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const life = { stopping: false, started: false };
  const http = await createHttp(moduleOf(composition), composition, log, life);
  await http.listen(0, '127.0.0.1');
  for (const part of composition.parts) await part.start?.();
  life.started = true;
  return {
    url: (await http.getUrl()).replace('[::1]', '127.0.0.1'),
    stop: async () => {
      await closeHttp(http);
      for (const part of [...composition.parts].reverse()) await part.stop?.();
    },
  };
}
