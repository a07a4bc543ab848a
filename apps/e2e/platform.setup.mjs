// Starts a platform with topics, databases and ports of its own; tests find it in E2E_PLATFORM.
import { ensureStores } from '../../deploy/local/infra.mjs';
import { build } from '../../deploy/local/build.mjs';
import { startPlatform } from '../../deploy/local/platform.mjs';
import { secrets } from '../../deploy/local/settings.mjs';

export default async function setup() {
  await ensureStores();
  await build();
  const platform = await startPlatform({ name: 'e2e', replicas: 1, env: { LOG_LEVEL: 'warn', PENDING_MS: '3000' } });
  globalThis.__platform = platform;
  process.env.E2E_PLATFORM = JSON.stringify({
    urls: platform.urls,
    stores: platform.stores,
    adminKey: secrets().adminKey,
    clickIdKeys: secrets().clickIdKeys,
  });
}
