import { connectKafka, createLog, type KafkaConnection } from '@baton/platform';

/** A variable that a command cannot do without. */
export function required(name: string, what: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: ${what}. (With a local platform: eval "$(npm run -s infra -- env)")`);
  return value;
}

export const kafkaOfEnvironment = (): KafkaConnection =>
  connectKafka({
    brokers: required('KAFKA_BROKERS', 'host:port[,host:port…]').split(','),
    clientId: 'baton-cli',
    prefix: process.env['TOPIC_PREFIX'] ?? '',
    log: createLog('cli', process.env['LOG_LEVEL'] ?? 'silent'),
  });
