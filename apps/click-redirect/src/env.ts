import { EnvClickIdKeys, EnvParsed, EnvWhole, KafkaEnv } from '@baton/platform';
import { IsOptional, IsString, Matches } from 'class-validator';
import { parseNetworks } from './domain/address';

export class Env extends KafkaEnv {
  /** The first key signs click ids, the others only verify. */
  @EnvClickIdKeys() CLICK_ID_KEYS!: string;
  /** What other services see of an address is hashed under it. */
  @Matches(/^[0-9a-fA-F]{64}$/, { message: 'ADDRESS_HASH_KEY must be 64 hex digits' }) ADDRESS_HASH_KEY!: string;
  /** How long a visitor waits for the click to be recorded; then the redirect goes without a click id. */
  @EnvWhole(10, 10_000) CLICK_ACK_MS = 800;
  /** Whose X-Forwarded-For is believed: networks, separated by commas. */
  @EnvParsed(parseNetworks, 'TRUSTED_PROXIES must be networks such as 10.0.0.0/8,2001:db8::/32') TRUSTED_PROXIES = '';
  /** Crash on purpose at a named point, for tests: `name#k`. */
  @IsOptional() @IsString() CRASH_AT?: string;
}
