import { EnvClickIdKeys, EnvFlag, EnvNetworks, EnvWhole, KafkaEnv } from '@baton/platform';
import { IsNotEmpty, IsOptional, IsString, Matches } from 'class-validator';

export class Env extends KafkaEnv {
  /** The first key signs click ids, the others only verify. */
  @EnvClickIdKeys() CLICK_ID_KEYS!: string;
  /** What other services see of an address is hashed under it. */
  @Matches(/^[0-9a-fA-F]{64}$/, { message: 'ADDRESS_HASH_KEY must be 64 hex digits' }) ADDRESS_HASH_KEY!: string;
  /** This replica's own folder: its spool and its catalog. It must outlive the process. */
  @IsString() @IsNotEmpty() DATA_DIR = 'data/click-redirect';
  /** The spool, where it is to lie on another disk. Empty: in DATA_DIR. */
  @IsOptional() @IsString() SPOOL_DIR?: string;
  /** Most megabytes of facts that may wait for Kafka; beyond it visitors are sent on without a click id. */
  @EnvWhole(1, 10_000_000) SPOOL_MAX_MB = 8_192;
  /** Whether a replica that cannot keep clicks says so to the load balancer, rather than send visitors on without an id. */
  @EnvFlag() SPOOL_UNREADY = false;
  /** How long a visitor waits for the disk; then the redirect goes without a click id. */
  @EnvWhole(10, 10_000) CLICK_ACK_MS = 800;
  /** How long a stopping process goes on sending what lies in its spool. */
  @EnvWhole(0, 15_000) SPOOL_DRAIN_MS = 10_000;
  /** Whose X-Forwarded-For is believed: networks, separated by commas. */
  @EnvNetworks('TRUSTED_PROXIES') TRUSTED_PROXIES = '';
  /** `host:port` that every connection to Kafka takes, whatever addresses the brokers name: a tunnel. */
  @IsOptional() @Matches(/^[^\s,:]+:\d+$/, { message: 'KAFKA_VIA must be host:port' }) KAFKA_VIA?: string;
  /** Crash on purpose at a named point, for tests: `name#k`. */
  @IsOptional() @IsString() CRASH_AT?: string;
}
