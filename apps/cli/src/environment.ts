import { connectKafka, createLog, type KafkaConnection, KafkaEnv, loadEnv, readSecret } from '@baton/platform';

/** A variable that a command cannot do without, or the file that NAME_FILE names. */
export function required(name: string, what: string): string {
  const file = process.env[`${name}_FILE`];
  const value = file ? readSecret(file) : process.env[name];
  if (!value) throw new Error(`${name} is not set: ${what}. (With a local platform: eval "$(npm run -s infra -- env)")`);
  return value;
}

class CliEnv extends KafkaEnv {
  // Nothing is served.
  override PORT = 0;
}

/** Kafka as the environment names it, TLS and SASL included; `given` stands above it. */
export function kafkaOfEnvironment(given: { brokers?: string; prefix?: string } = {}): KafkaConnection {
  const brokers = given.brokers ?? required('KAFKA_BROKERS', 'host:port[,host:port…]');
  const env = loadEnv(CliEnv, { LOG_LEVEL: 'silent', ...process.env, PORT: '0', KAFKA_BROKERS: brokers });
  return connectKafka({
    brokers: env.KAFKA_BROKERS.split(','),
    clientId: 'baton-cli',
    prefix: given.prefix ?? env.TOPIC_PREFIX,
    log: createLog('cli', env.LOG_LEVEL),
    security: env,
  });
}
