import { createRequire } from 'node:module';
import { encodeProduce, type Encoded, HEAD_ROOM, type ProduceRequest } from './produce-request';

interface Protocol {
  readonly request: { encode: () => Promise<Encoded> };
}
interface Definitions {
  protocol: (version: { version: number }) => ((request: ProduceRequest) => Protocol) | undefined;
}

/** kafkajs's: bytes up to `offset`. `head` is how far what was put before ours reaches down into the free room. */
interface Encoder {
  buf: Buffer;
  offset: number;
  roomy?: { readonly bytes: Buffer; readonly head: number };
}

const FIRST_VERSION = 3;
const LAST_VERSION = 7;

/**
 * Gives kafkajs our encoder of Produce requests, in this process and once. kafkajs stays the client: connections, metadata, sequence numbers
 * and retries are its own. What our encoder does not know is encoded as before.
 */
export function installFastProduce(): void {
  const load = createRequire(__filename);
  putHeadsBeforeBodies(load('kafkajs/src/protocol/encoder') as EncoderClass);
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

interface EncoderClass {
  readonly prototype: { writeEncoder(this: Encoder, value: Encoded | Encoder): Encoder };
}

/**
 * kafkajs puts the head of a request before its body, and its size before both, by copying all of it each time into another buffer of zeros.
 * Before a body of ours there is room.
 */
function putHeadsBeforeBodies({ prototype }: EncoderClass): void {
  const original = prototype.writeEncoder;
  prototype.writeEncoder = function (value) {
    const inner = roomyOf(value);
    const head = inner === null ? -1 : inner.head - this.offset;
    if (inner === null || head < 0) return original.call(this, value);
    this.buf.copy(inner.bytes, head, 0, this.offset);
    this.buf = inner.bytes.subarray(head);
    this.offset = this.buf.length;
    this.roomy = { bytes: inner.bytes, head };
    return this;
  };
}

function roomyOf(value: Encoded | Encoder): { readonly bytes: Buffer; readonly head: number } | null {
  const { roomy } = value;
  if (roomy === undefined) return null;
  return Buffer.isBuffer(roomy) ? { bytes: roomy, head: HEAD_ROOM } : roomy;
}

const installed = new WeakSet<object>();
