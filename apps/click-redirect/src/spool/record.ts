import { crc32 } from 'node:zlib';
import { ClickRecorded, type EventContract, type Outgoing, type TenantData, TouchRecorded } from '@baton/contracts';

/**
 * One fact in a segment: crc32 of what follows 4, length of the payload 4, payload. Payload: kind 1, tenant id 36, milliseconds 6, length of
 * the id 1, id, length of the traceparent 1, traceparent, value. Big endian; ids are ASCII, the value is the JSON that Kafka will carry.
 */
export interface SpoolRecord {
  readonly contract: EventContract;
  readonly tenantId: string;
  readonly occurredAtMs: number;
  readonly id: string;
  readonly traceparent: string | undefined;
  /** A view of the segment's bytes. */
  readonly value: Buffer;
}

export const RECORD_MAX_BYTES = 128 * 1024;
const HEAD_BYTES = 8;
const FIXED_BYTES = 1 + 36 + 6 + 1 + 1;
/** What kinds there are never changes, and new ones are added at the end: they lie on disks. */
const KINDS: readonly EventContract[] = [ClickRecorded, TouchRecorded] as unknown as EventContract[];

/** The most bytes that a record may need: three for each UTF-16 unit of the value. */
export const recordBytesMax = (valueLength: number): number => HEAD_BYTES + FIXED_BYTES + 64 + 64 + valueLength * 3;

export interface RecordOf {
  /** 0: click, 1: touch. */
  readonly kind: number;
  readonly tenantId: string;
  readonly occurredAtMs: number;
  readonly id: string;
  readonly traceparent: string | undefined;
  readonly value: string;
}

export function recordOf({ contract, data }: Outgoing, traceparent: string | undefined): RecordOf {
  const kind = KINDS.findIndex(({ ceType }) => ceType === contract.ceType);
  if (kind < 0) throw new RangeError(`the spool does not keep ${contract.ceType}`);
  return {
    kind,
    tenantId: data.tenantId,
    occurredAtMs: Date.parse(contract.timeOf(data)),
    id: contract.idOf(data),
    traceparent,
    value: JSON.stringify(data),
  };
}

/** Writes a record; gives the offset behind it. The caller has made sure of `recordBytesMax` bytes. */
export function writeRecord(into: Buffer, offset: number, record: RecordOf): number {
  const { kind, tenantId, occurredAtMs, id, traceparent = '', value } = record;
  let at = offset + HEAD_BYTES;
  into[at] = kind;
  into.write(tenantId, at + 1, 36, 'latin1');
  into.writeUIntBE(occurredAtMs, at + 37, 6);
  into[at + 43] = id.length;
  into.write(id, at + 44, id.length, 'latin1');
  at += 44 + id.length;
  into[at] = traceparent.length;
  if (traceparent !== '') into.write(traceparent, at + 1, traceparent.length, 'latin1');
  at += 1 + traceparent.length;
  at += into.write(value, at, 'utf8');
  into.writeUInt32BE(at - offset - HEAD_BYTES, offset + 4);
  into.writeUInt32BE(crc32(into.subarray(offset + 4, at)), offset);
  return at;
}

export type Read =
  | { readonly kind: 'record'; readonly record: SpoolRecord; readonly next: number }
  /** The bytes end before the record does: more may come, or a crash tore it. */
  | { readonly kind: 'short' }
  /** Zeros: room that a file system gave before its data came. */
  | { readonly kind: 'blank' }
  /** `next` is where the record would end, when its length can be believed. */
  | { readonly kind: 'damaged'; readonly next: number | null };

export function readRecord(bytes: Buffer, offset: number): Read {
  if (bytes.length - offset < HEAD_BYTES) return { kind: 'short' };
  const length = bytes.readUInt32BE(offset + 4);
  if (length === 0 && bytes.readUInt32BE(offset) === 0) return { kind: 'blank' };
  if (length < FIXED_BYTES || length > RECORD_MAX_BYTES) return { kind: 'damaged', next: null };
  const end = offset + HEAD_BYTES + length;
  if (end > bytes.length) return { kind: 'short' };
  const record = crc32(bytes.subarray(offset + 4, end)) === bytes.readUInt32BE(offset) ? recordAt(bytes, offset + HEAD_BYTES, end) : null;
  return record ? { kind: 'record', record, next: end } : { kind: 'damaged', next: end };
}

function recordAt(bytes: Buffer, from: number, end: number): SpoolRecord | null {
  const contract = KINDS[bytes[from] as number];
  if (!contract) return null;
  const idEnd = from + 44 + (bytes[from + 43] as number);
  const traceEnd = idEnd + 1 + (bytes[idEnd] as number);
  return {
    contract,
    tenantId: bytes.toString('latin1', from + 1, from + 37),
    occurredAtMs: bytes.readUIntBE(from + 37, 6),
    id: bytes.toString('latin1', from + 44, idEnd),
    traceparent: traceEnd > idEnd + 1 ? bytes.toString('latin1', idEnd + 1, traceEnd) : undefined,
    value: bytes.subarray(traceEnd, end),
  };
}

/** As `encode` of the contracts makes it, from what was spooled: the same bytes on every try. */
export function messageOf({ contract, tenantId, occurredAtMs, id, traceparent, value }: SpoolRecord): SpooledMessage {
  return {
    topic: contract.topic,
    // The key of a click and of a touch is its id.
    key: id,
    value,
    headers: {
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: `/baton/${contract.topic}`,
      ce_type: contract.ceType,
      ce_time: new Date(occurredAtMs).toISOString(),
      ce_dataschema: `urn:baton:schema:${contract.type}:v${contract.version}`,
      ce_tenant: tenantId,
      'content-type': 'application/json',
      traceparent: traceparent ?? traceOf(id),
    },
  };
}

/** A trace that begins here has the fact's own id for its name: 16 bytes and 8 of what the id holds, so that every try says the same. */
function traceOf(id: string): string {
  const hex =
    id.length === 32 ? Buffer.from(id, 'base64url').toString('hex') : `${id.replaceAll('-', '')}${id.replaceAll('-', '').slice(0, 16)}`;
  return `00-${hex.slice(0, 32)}-${hex.slice(32, 48)}-01`;
}

export interface SpooledMessage {
  readonly topic: EventContract<TenantData>['topic'];
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Record<string, string>;
}
