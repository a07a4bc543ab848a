import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Admin, type ISocketFactory, Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs';
import type { KafkaEnv } from '../run/env';
import type { Log } from '../run/log';

export interface KafkaSettings {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** In front of every topic and group: environments that share a broker do not meet. */
  readonly prefix: string;
  readonly log: Log;
  /** `host:port`: every connection goes there, whatever addresses the brokers name, as through a tunnel. */
  readonly via?: string | undefined;
  /** TLS, and who we are, as the environment says it. Absent: neither. */
  readonly security?: KafkaSecurity | undefined;
}

export type KafkaSecurity = Partial<Pick<KafkaEnv, 'KAFKA_TLS' | 'KAFKA_CA' | 'KAFKA_SASL' | 'KAFKA_USERNAME' | 'KAFKA_PASSWORD'>>;

/** A way to one cluster. kafkajs stays behind this folder, so that it can be swapped. */
export interface KafkaConnection {
  readonly client: Kafka;
  readonly prefix: string;
  readonly log: Log;
}

/** Said while a broker starts, at ERROR, before kafkajs retries by itself. */
const STARTING = /coordinator is loading|group coordinator is not available|The coordinator is not available|leadership election/i;

export function connectKafka({ brokers, clientId, prefix, log, via, security }: KafkaSettings): KafkaConnection {
  const client = new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3_000,
    requestTimeout: 10_000,
    enforceRequestTimeout: true,
    retry: { initialRetryTime: 200, maxRetryTime: 3_000, retries: 8 },
    ...(via ? { socketFactory: through(via) } : {}),
    ...secured(security),
    logLevel: logLevel.INFO,
    logCreator: () => (entry) => {
      const { message, error, ...rest } = entry.log as { message: string; error?: string; [key: string]: unknown };
      const fields = {
        kafka: entry.namespace,
        ...(error ? { error } : {}),
        ...(rest['groupId'] ? { group: rest['groupId'] } : {}),
        ...(rest['topic'] ? { topic: rest['topic'] } : {}),
      };
      const noise = STARTING.test(`${message} ${error ?? ''}`);
      if (entry.level === logLevel.ERROR && !noise) log.warn(fields, message);
      else log.debug(fields, message);
    },
  });
  return { client, prefix, log };
}

function secured({ KAFKA_TLS, KAFKA_CA, KAFKA_SASL, KAFKA_USERNAME, KAFKA_PASSWORD }: KafkaSecurity = {}): Partial<KafkaConfig> {
  return {
    ...(KAFKA_TLS ? { ssl: KAFKA_CA ? { ca: [KAFKA_CA] } : true } : {}),
    ...(KAFKA_SASL ? { sasl: { mechanism: KAFKA_SASL, username: KAFKA_USERNAME, password: KAFKA_PASSWORD } as SASLOptions } : {}),
  };
}

function through(via: string): ISocketFactory {
  const [host = '', port = ''] = via.split(':');
  return ({ ssl, onConnect }) =>
    ssl ? connectTls({ ...ssl, host, port: Number(port) }, onConnect) : connect({ host, port: Number(port) }, onConnect);
}

/** Runs one administrative piece of work on a connection of its own. */
export async function withAdmin<T>(kafka: KafkaConnection, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = kafka.client.admin({ retry: { retries: 5 } });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

/** Waits for `work`, but no longer than `ms`; undefined when the time was up first. `work` itself goes on. */
export async function within<T>(ms: number, work: Promise<T> | undefined): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const up = new Promise<undefined>((resolve) => (timer = setTimeout(() => resolve(undefined), ms)));
  try {
    return await Promise.race([work, up]);
  } finally {
    clearTimeout(timer);
  }
}
