import { parseClickIdKeys } from '@baton/contracts';
import { EnvWhole, KafkaEnv } from '@baton/platform';
import { IsOptional, IsString, Matches, ValidateBy } from 'class-validator';
import { parseNetworks } from './domain/address';

export class Env extends KafkaEnv {
  /** The first key signs click ids, the others only verify. */
  @Parses(parseClickIdKeys, 'must look like "1:<64 hex digits>[,0:<64 hex digits>…]", key ids 0 to 15') CLICK_ID_KEYS!: string;
  /** What other services see of an address is hashed under it. */
  @Matches(/^[0-9a-fA-F]{64}$/, { message: 'ADDRESS_HASH_KEY must be 64 hex digits' }) ADDRESS_HASH_KEY!: string;
  /** How long a visitor waits for the click to be recorded; then the redirect goes without a click id. */
  @EnvWhole(10, 10_000) CLICK_ACK_MS = 800;
  /** Whose X-Forwarded-For is believed: networks, separated by commas. */
  @Parses(parseNetworks, 'must be networks such as 10.0.0.0/8,2001:db8::/32') TRUSTED_PROXIES = '';
  /** Crash on purpose at a named point, for tests: `name#k`. */
  @IsOptional() @IsString() CRASH_AT?: string;
}

/** Text that a parser of ours takes without throwing. What it throws may hold the secret, so the message is our own. */
function Parses(parse: (text: string) => unknown, message: string): PropertyDecorator {
  return ValidateBy({
    name: 'parses',
    validator: {
      validate: (value) => {
        try {
          return typeof value === 'string' && parse(value) !== undefined;
        } catch {
          return false;
        }
      },
      defaultMessage: () => message,
    },
  });
}
