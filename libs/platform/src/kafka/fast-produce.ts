import { createRequire } from 'node:module';
import { encodeProduce, type Encoded, type ProduceRequest } from './produce-request';

interface Protocol {
  readonly request: { encode: () => Promise<Encoded> };
}
interface Definitions {
  protocol: (version: { version: number }) => ((request: ProduceRequest) => Protocol) | undefined;
}

const FIRST_VERSION = 3;
const LAST_VERSION = 7;

/**
 * Gives kafkajs our encoder of Produce requests, in this process and once. kafkajs stays the client: connections, metadata, sequence numbers
 * and retries are its own. What our encoder does not know is encoded as before.
 */
export function installFastProduce(): void {
  const load = createRequire(__filename);
  const { requests } = load('kafkajs/src/protocol/requests') as { requests: { Produce: Definitions } };
  if (installed.has(requests.Produce)) return;
  installed.add(requests.Produce);
  const original = requests.Produce.protocol;
  requests.Produce.protocol = ({ version }) => {
    const make = original({ version });
    if (!make || version < FIRST_VERSION || version > LAST_VERSION) return make;
    return (request) => {
      const protocol = make(request);
      const encode = protocol.request.encode;
      return { ...protocol, request: { ...protocol.request, encode: async () => encodeProduce(request, Date.now()) ?? encode() } };
    };
  };
}

const installed = new WeakSet<object>();
