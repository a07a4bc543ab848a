import { EnvNetworks, EnvSigningRoot, ServiceEnv } from '@baton/platform';
import { Matches, MinLength } from 'class-validator';

export class Env extends ServiceEnv {
  /** The platform operator's key: it makes tenants and acts for any of them. */
  @MinLength(32, { message: 'ADMIN_KEY must have at least 32 characters, such as `openssl rand -hex 32` prints' }) ADMIN_KEY!: string;
  /** What share links begin with: where click-redirect is reached from outside. */
  @Matches(/^https?:\/\/[^\s/?#@]+$/, { message: 'PUBLIC_URL must be an origin such as https://go.example.com, without a path' })
  PUBLIC_URL!: string;
  /** Whose X-Forwarded-For is believed, for keys with an allow list. */
  @EnvNetworks('TRUSTED_PROXIES') TRUSTED_PROXIES = '';
  /** Signing secrets of keys are derived from it, as in conversion-ingest. Not set: no key that must be signed for can be made. */
  @EnvSigningRoot() POSTBACK_SIGNING_ROOT?: string;
}
