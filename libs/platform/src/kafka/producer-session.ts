import type { TopicMessages } from 'kafkajs';
import { installFastProduce } from './fast-produce';
import type { KafkaConnection } from './kafka';
import { partitioner } from './partitioner';

/** One producer id at the broker, from connecting to the first failure. */
export interface ProducerSession {
  send(topicMessages: TopicMessages[]): Promise<void>;
  /** Nothing more is sent in this session; waits a second at most for the connection to end. */
  abandon(): Promise<void>;
}

const ABANDON_MS = 1_000;

/**
 * acks -1, idempotent, one request in flight. kafkajs keeps retrying, and reconnects, after we have given a send up: so retries are few, and
 * whatever an abandoned session still does, its connection is closed once more when that is over.
 */
export function openSession({ client }: KafkaConnection): ProducerSession {
  installFastProduce();
  const producer = client.producer({
    createPartitioner: partitioner,
    idempotent: true,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    retry: { initialRetryTime: 100, maxRetryTime: 500, retries: 2 },
  });
  let abandoned = false;
  const disconnect = (): Promise<void> => producer.disconnect().catch(() => undefined);
  const connected = producer.connect();
  connected.catch(() => undefined);
  return {
    async send(topicMessages) {
      try {
        await connected;
        if (abandoned) throw new Error('the session was abandoned');
        await producer.sendBatch({ acks: -1, topicMessages });
      } finally {
        if (abandoned) void disconnect();
      }
    },
    async abandon() {
      abandoned = true;
      let timer: NodeJS.Timeout | undefined;
      await Promise.race([disconnect(), new Promise((resolve) => (timer = setTimeout(resolve, ABANDON_MS)))]);
      clearTimeout(timer);
    },
  };
}
