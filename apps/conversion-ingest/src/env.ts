import { EnvClickIdKeys, EnvNetworks, EnvSigningRoot, EnvWhole, ServiceEnv } from '@baton/platform';
import { IsOptional, Matches, MinLength } from 'class-validator';

export class Env extends ServiceEnv {
  /** The same keys that click-redirect signs with: retired ones stay until the longest window is over. */
  @EnvClickIdKeys() CLICK_ID_KEYS!: string;
  /** E-mail addresses and ids of devices are kept as an HMAC under this key alone. Another key makes other people of the same addresses. */
  @MinLength(32, { message: 'EMAIL_HASH_KEY must have at least 32 characters, such as `openssl rand -hex 32` prints' })
  EMAIL_HASH_KEY!: string;
  /** Secrets of doors' endpoints are kept sealed under this key alone. Unset: none can be kept, and endpoints cannot be made. */
  @IsOptional()
  @Matches(/^[0-9a-f]{64}$/, { message: 'DOOR_SECRETS_KEY must be 64 hex digits in small letters, such as `openssl rand -hex 32` prints' })
  DOOR_SECRETS_KEY?: string;
  /** A hint for repeats; the service works without it. */
  @Matches(/^rediss?:\/\/\S+$/, { message: 'REDIS_URL must be a redis:// URL' }) REDIS_URL!: string;
  @Matches(/^[A-Za-z0-9._:-]{0,40}$/) REDIS_PREFIX = '';
  /** Requests that may wait for a transaction; one tenant may have half of them. */
  @EnvWhole(10, 100_000) WAITING_MAX = 2_000;
  /** What a key without a limit of its own may send in a second, over all replicas. 0: no limit. */
  @EnvWhole(0, 1_000_000) KEY_RATE_PER_SECOND = 2_000;
  /** Whose X-Forwarded-For is believed, for keys with an allow list. */
  @EnvNetworks('TRUSTED_PROXIES') TRUSTED_PROXIES = '';
  /** Signing secrets of keys are derived from it, as in control-plane. Not set: keys that must be signed for are refused. */
  @EnvSigningRoot() POSTBACK_SIGNING_ROOT?: string;
}
