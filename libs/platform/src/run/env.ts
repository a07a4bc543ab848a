import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { parseClickIdKeys, parseNetworks } from '@baton/contracts';
import { plainToInstance, Transform } from 'class-transformer';
import {
  getMetadataStorage,
  IsIn,
  IsInt,
  IsNotEmpty,
  IsOptional,
  IsString,
  Matches,
  Max,
  Min,
  MinLength,
  ValidateBy,
  ValidateIf,
  validateSync,
} from 'class-validator';

/** A whole number from the environment. */
export const EnvWhole =
  (min: number, max: number): PropertyDecorator =>
  (target, name) => {
    Transform(({ value }) => (typeof value === 'string' && value.trim() !== '' ? Number(value) : (value as unknown)))(target, name);
    IsInt()(target, name);
    Min(min)(target, name);
    Max(max)(target, name);
  };

/** `true` or `false` from the environment. */
export const EnvFlag = (): PropertyDecorator => (target, name) => {
  Transform(({ value }) => (value === 'true' ? true : value === 'false' ? false : (value as unknown)))(target, name);
  IsIn([true, false])(target, name);
};

/** Text that a parser of ours takes. What the parser throws may hold a secret, so the message is our own and never shows the value. */
export const EnvParsed = (parse: (text: string) => unknown, message: string): PropertyDecorator =>
  ValidateBy({
    name: 'parsed',
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

/** The keys of click ids, the same in every service that signs or checks them. */
export const EnvClickIdKeys = (): PropertyDecorator =>
  EnvParsed(parseClickIdKeys, 'CLICK_ID_KEYS must look like "1:<64 hex digits>[,0:<64 hex digits>…]", key ids 0 to 15, each once');

/** Whose X-Forwarded-For is believed: networks, separated by commas. */
export const EnvNetworks = (name: string): PropertyDecorator =>
  EnvParsed(parseNetworks, `${name} must be networks such as 10.0.0.0/8,2001:db8::/32`);

/** What the signing secrets of keys are derived from, the same in every service that shows or checks them. */
export const EnvSigningRoot = (): PropertyDecorator => (target, name) => {
  IsOptional()(target, name);
  MinLength(32, { message: 'POSTBACK_SIGNING_ROOT must have at least 32 characters, such as `openssl rand -hex 32` prints' })(target, name);
};

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** What every service reads. Each service extends it in its `env.ts`; `.env.example` says why each key is there. */
export class BaseEnv {
  @IsString() HOST = '127.0.0.1';
  @EnvWhole(0, 65_535) PORT!: number;
  @IsIn(LEVELS) LOG_LEVEL = 'info';
  /** How long a terminating service stays reachable, unready, before it stops accepting: what the load balancer needs. */
  @EnvWhole(0, 20_000) DRAIN_MS = 0;
}

const SASL_MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof SASL_MECHANISMS)[number];
const usesSasl = (env: { KAFKA_SASL?: unknown }): boolean => env.KAFKA_SASL !== undefined;

export class KafkaEnv extends BaseEnv {
  @Matches(/^[^\s,:]+:\d+(,[^\s,:]+:\d+)*$/, { message: 'KAFKA_BROKERS must be host:port[,host:port…]' }) KAFKA_BROKERS!: string;
  @Matches(/^[A-Za-z0-9._-]{0,40}$/) TOPIC_PREFIX = '';
  /** Partitions that one consumer works on at once. */
  @EnvWhole(1, 64) PARTITIONS_AT_ONCE = 4;
  /** Most messages in one transaction. */
  @EnvWhole(1, 5_000) BATCH_MAX = 500;
  /** Whether connections to the brokers are encrypted, and the brokers' names checked. */
  @EnvFlag() KAFKA_TLS = false;
  /** Who signs the brokers' certificates, as PEM. Unset: the authorities that Node knows. */
  @IsOptional() @IsString() KAFKA_CA?: string;
  /** How a client shows the brokers who it is. Unset: not at all. */
  @IsOptional() @IsIn(SASL_MECHANISMS) KAFKA_SASL?: SaslMechanism;
  @ValidateIf(usesSasl) @IsString() @IsNotEmpty() KAFKA_USERNAME?: string;
  @ValidateIf(usesSasl) @IsString() @IsNotEmpty() KAFKA_PASSWORD?: string;
}

export const DATABASE_URL_RULE = /^postgres(ql)?:\/\/\S+$/;

export class ServiceEnv extends KafkaEnv {
  /** The `_worker` role: batches of many tenants. */
  @Matches(DATABASE_URL_RULE, { message: 'DATABASE_URL must be a postgres:// URL' }) DATABASE_URL!: string;
  /** The `_api` role: one tenant at a time. */
  @Matches(DATABASE_URL_RULE, { message: 'DATABASE_API_URL must be a postgres:// URL' }) DATABASE_API_URL!: string;
  @EnvWhole(2, 200) DATABASE_POOL_MAX = 12;
  /** Crash on purpose at a named point, for tests: `name#k`. */
  @IsOptional() @IsString() CRASH_AT?: string;
}

export class EnvError extends Error {
  override readonly name = 'EnvError';
  constructor(readonly problems: readonly string[]) {
    super(`The environment is not complete:\n${problems.map((p) => `  - ${p}`).join('\n')}\nSee .env.example for every key.`);
  }
}

/**
 * Reads and checks the environment, every problem at once. An empty variable counts as not set. Instead of any variable, NAME_FILE may name a file
 * that holds its value, as secrets are mounted into containers; where both are set the file holds.
 */
export function loadEnv<E extends object>(type: new () => E, source: NodeJS.ProcessEnv): E {
  const given = Object.fromEntries(Object.entries(source).filter(([, value]) => value !== undefined && value !== ''));
  const unread = readFiles(type, given);
  const env = plainToInstance(type, given, { exposeDefaultValues: true });
  const problems = validateSync(env, { forbidUnknownValues: false }).filter(({ property }) => !unread.has(property));
  if (problems.length > 0 || unread.size > 0) {
    throw new EnvError([
      ...unread.values(),
      ...problems.map((p) => {
        // A secret that is malformed must not be printed to say so.
        const shown = p.value === undefined ? 'is not set' : `is set, but`;
        return p.value === undefined ? `${p.property} ${shown}` : `${p.property} ${shown} ${Object.values(p.constraints ?? {}).join(', ')}`;
      }),
    ]);
  }
  return env;
}

/** Puts in what files hold. Gives the variables whose file could not be read, with what is wrong. */
function readFiles(type: new () => object, given: Record<string, string | undefined>): Map<string, string> {
  const unread = new Map<string, string>();
  const names = new Set(
    getMetadataStorage()
      .getTargetValidationMetadatas(type, '', false, false)
      .map((rule) => rule.propertyName),
  );
  for (const name of names) {
    const path = given[`${name}_FILE`];
    if (path === undefined) continue;
    try {
      given[name] = readSecret(path);
    } catch (error) {
      unread.set(name, `${name}_FILE names ${path}, which cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
    }
  }
  return unread;
}

/** What a file holds, without the line end that editors leave. */
export const readSecret = (path: string): string => readFileSync(path, 'utf8').replace(/\r?\n$/, '');
