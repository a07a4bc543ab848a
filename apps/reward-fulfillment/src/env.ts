import { EnvNetworks, EnvWhole, ServiceEnv } from '@baton/platform';

export class Env extends ServiceEnv {
  /** How often what is due (a hold that ended, terms that arrived) is looked for. */
  @EnvWhole(50, 60_000) SWEEP_EVERY_MS = 1_000;
  /** How often the ledger's invariants are checked. Each check reads the whole ledger. */
  @EnvWhole(1_000, 86_400_000) INVARIANTS_EVERY_MS = 60_000;
  /** Whose X-Forwarded-For is believed, for keys with an allow list. */
  @EnvNetworks('TRUSTED_PROXIES') TRUSTED_PROXIES = '';
}
