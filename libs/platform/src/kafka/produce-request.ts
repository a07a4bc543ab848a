import { crc32c } from './crc32c';

/**
 * The body of a Produce request (versions 3 to 7, uncompressed, no transaction), in one pass into one buffer. kafkajs makes a dozen growing
 * buffers for each record with headers, which costs five times as much as the rest of sending. The bytes are the same: a property test
 * compares them with kafkajs's own. Source of the layout: the Kafka protocol guide, record batch of magic 2.
 */
export interface ProduceRequest {
  readonly acks: number;
  readonly timeout: number;
  readonly transactionalId?: string | null;
  readonly producerId?: Int64;
  readonly producerEpoch?: number;
  readonly compression?: number;
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly {
      readonly partition: number;
      readonly firstSequence?: number;
      readonly messages: readonly ProduceMessage[];
    }[];
  }[];
}
export interface ProduceMessage {
  readonly key?: Buffer | string | null;
  readonly value: Buffer | string | null;
  readonly timestamp?: string;
  readonly headers?: Readonly<Record<string, unknown>>;
}
/** kafkajs's Long. */
interface Int64 {
  readonly value: bigint;
}

/** What kafkajs asks of an encoder. */
export interface Encoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
  size(): number;
  /** The same bytes behind `HEAD_ROOM` free ones, for what goes before them. */
  readonly roomy: Buffer;
}
/** More than kafkajs puts before a request: size, api key and version, correlation id, the client's id of at most 100 bytes. */
export const HEAD_ROOM = 128;

/** Null: something that only kafkajs itself encodes (compression, transactions, timestamps, lists of headers). */
export function encodeProduce(request: ProduceRequest, nowMs: number): Encoded | null {
  if (request.compression || request.transactionalId) return null;
  const room = roomFor(request);
  if (room === null) return null;
  const bytes = Buffer.allocUnsafe(HEAD_ROOM + room);
  let at = bytes.writeInt16BE(-1, HEAD_ROOM);
  at = bytes.writeInt16BE(request.acks, at);
  at = bytes.writeInt32BE(request.timeout, at);
  at = bytes.writeInt32BE(request.topicData.length, at);
  for (const { topic, partitions } of request.topicData) {
    const length = bytes.write(topic, at + 2, 'utf8');
    at = bytes.writeInt16BE(length, at) + length;
    at = bytes.writeInt32BE(partitions.length, at);
    for (const { partition, messages, firstSequence = 0 } of partitions) {
      bytes.writeInt32BE(partition, at);
      const end = writeBatch(bytes, at + 8, { request, messages, firstSequence, nowMs });
      bytes.writeInt32BE(end - at - 8, at + 4);
      at = end;
    }
  }
  const encoded = bytes.subarray(HEAD_ROOM, at);
  return { buf: encoded, buffer: encoded, size: () => encoded.length, roomy: bytes.subarray(0, at) };
}

interface Batch {
  readonly request: ProduceRequest;
  readonly messages: readonly ProduceMessage[];
  readonly firstSequence: number;
  readonly nowMs: number;
}

const MAGIC = 2;
const BATCH_HEAD = 8 + 4 + 4 + 1 + 4;
const BATCH_BODY_HEAD = 2 + 4 + 8 + 8 + 8 + 2 + 4 + 4;

function writeBatch(bytes: Buffer, start: number, { request, messages, firstSequence, nowMs }: Batch): number {
  const body = start + BATCH_HEAD;
  bytes.writeInt16BE(0, body);
  bytes.writeInt32BE(messages.length - 1, body + 2);
  bytes.writeBigInt64BE(BigInt(nowMs), body + 6);
  bytes.writeBigInt64BE(BigInt(nowMs), body + 14);
  bytes.writeBigInt64BE(request.producerId?.value ?? -1n, body + 22);
  bytes.writeInt16BE(request.producerEpoch ?? 0, body + 30);
  bytes.writeInt32BE(firstSequence, body + 32);
  bytes.writeInt32BE(messages.length, body + 36);
  let at = body + BATCH_BODY_HEAD;
  for (let i = 0; i < messages.length; i++) at = writeRecord(bytes, at, i, messages[i] as ProduceMessage);
  bytes.writeBigInt64BE(0n, start);
  bytes.writeInt32BE(at - start - 12, start + 8);
  bytes.writeInt32BE(0, start + 12);
  bytes[start + 16] = MAGIC;
  bytes.writeUInt32BE(crc32c(bytes, body, at), start + 17);
  return at;
}

/** Room for the length of a record, which is known once it is written: five bytes at most, and the record moves down over those unused. */
const LENGTH_ROOM = 3;

function writeRecord(bytes: Buffer, start: number, offsetDelta: number, { key, value, headers }: ProduceMessage): number {
  let at = start + LENGTH_ROOM;
  bytes[at++] = 0;
  bytes[at++] = 0;
  at = writeVarInt(bytes, at, offsetDelta);
  at = writeBytes(bytes, at, key);
  at = writeBytes(bytes, at, value);
  const countAt = at++;
  let count = 0;
  for (const name in headers) {
    at = writeText(bytes, at, name);
    at = writeBytes(bytes, at, headers[name] as string | Buffer);
    count++;
  }
  bytes[countAt] = count << 1;
  const length = at - start - LENGTH_ROOM;
  const lengthBytes = varIntBytes(length);
  const shift = LENGTH_ROOM - lengthBytes;
  if (shift !== 0) bytes.copyWithin(start + lengthBytes, start + LENGTH_ROOM, at);
  writeVarInt(bytes, start, length);
  return at - shift;
}

function writeBytes(bytes: Buffer, at: number, value: Buffer | string | null | undefined): number {
  if (value === null || value === undefined) {
    bytes[at] = 1;
    return at + 1;
  }
  if (typeof value === 'string') return writeText(bytes, at, value);
  const from = writeVarInt(bytes, at, value.length);
  bytes.set(value, from);
  return from + value.length;
}

/** Most texts are short ASCII: their length is a byte, and copying them here is cheaper than a call into the runtime. */
function writeText(bytes: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length < SHORT) {
    let i = 0;
    for (; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f) break;
      bytes[at + 1 + i] = unit;
    }
    if (i === length) {
      bytes[at] = length << 1;
      return at + 1 + length;
    }
  }
  const size = Buffer.byteLength(text, 'utf8');
  const from = writeVarInt(bytes, at, size);
  bytes.write(text, from, size, 'utf8');
  return from + size;
}
const SHORT = 64;

/** Zigzag, seven bits a byte, lowest first. Numbers from 0 on. */
function writeVarInt(bytes: Buffer, at: number, number: number): number {
  let rest = number << 1;
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[at++] = rest;
  return at;
}
const varIntBytes = (number: number): number => (number < 64 ? 1 : number < 8_192 ? 2 : number < 1_048_576 ? 3 : 4);

/** At least as many bytes as the request needs; null when a part of it is not ours to encode. */
function roomFor({ topicData }: ProduceRequest): number | null {
  let room = 64;
  for (const { topic, partitions } of topicData) {
    room += 16 + topic.length * 3;
    for (const { messages } of partitions) {
      room += 16 + BATCH_HEAD + BATCH_BODY_HEAD;
      for (const message of messages) {
        const bytes = recordRoom(message);
        if (bytes === null) return null;
        room += bytes;
      }
    }
  }
  return room;
}

const RECORD_BYTES_MAX = 1_000_000;
const HEADERS_MAX = 63;

function recordRoom({ key, value, timestamp, headers }: ProduceMessage): number | null {
  if (timestamp !== undefined && timestamp !== null) return null;
  let room = 32 + sizeOf(key) + sizeOf(value);
  let count = 0;
  for (const name in headers) {
    const header = headers[name];
    if (typeof header !== 'string' && !Buffer.isBuffer(header)) return null;
    room += 10 + name.length * 3 + sizeOf(header);
    count++;
  }
  return count > HEADERS_MAX || room > RECORD_BYTES_MAX ? null : room;
}

const sizeOf = (value: Buffer | string | null | undefined): number =>
  value === null || value === undefined ? 0 : typeof value === 'string' ? value.length * 3 : value.length;
