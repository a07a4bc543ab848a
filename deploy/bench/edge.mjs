// The redirect as it runs in production: a real process with everything on. Its environment stands here and nowhere else in the bench.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../local/settings.mjs';
import { fail } from './say.mjs';
import { startServer } from './processes.mjs';

const MAIN = join(ROOT, 'apps/click-redirect/dist/main.js');

/** Ready once it knows every link. `folder` gets its log and its data: a folder on a real disk, or fsync costs nothing. */
export async function startEdge({ run, cluster, folder, links, core, flags = [], name = 'click-redirect' }) {
  if (!existsSync(MAIN)) fail(`click-redirect is not built: ${MAIN} is missing. Run: npm run build`);
  const data = join(folder, `${name}-data`);
  mkdirSync(data, { recursive: true });
  return startServer({
    run,
    name,
    folder,
    core,
    args: [...flags, MAIN],
    env: {
      KAFKA_BROKERS: cluster.brokers,
      TOPIC_PREFIX: cluster.prefix,
      DATA_DIR: data,
      LOG_LEVEL: 'info',
      CLICK_ID_KEYS: `1:${'ab'.repeat(32)}`,
      ADDRESS_HASH_KEY: 'cd'.repeat(32),
      TRUSTED_PROXIES: '127.0.0.0/8,::1',
    },
    isReady: (port) => knows(port, links),
  });
}

async function knows(port, links) {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(2_000) });
    return answer.ok && (await answer.json()).links >= links;
  } catch {
    return false;
  }
}
