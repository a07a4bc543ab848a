import { crc32 } from 'node:zlib';
import { ClickRecorded, type EventContract, type Outgoing, type TenantData, TouchRecorded } from '@baton/contracts';

/**
 * One fact in a segment: crc32 of what follows 4, length of the payload 4, payload. Payload: kind 1, milliseconds 6, length of the id 1, length
 * of the traceparent 1, tenant id 36, id, traceparent, value. Big endian; ids are ASCII, the value is the JSON that Kafka will carry.
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
const FIXED_BYTES = 1 + 6 + 1 + 1;
const TENANT_BYTES = 36;
const BYTE_VALUES = 256;
const LEAST_BYTES = FIXED_BYTES + TENANT_BYTES;
/** What kinds there are never changes, and new ones are added at the end: they lie on disks. */
const KINDS: readonly EventContract[] = [ClickRecorded, TouchRecorded] as unknown as EventContract[];

/** The most bytes that a record may need: three for each UTF-16 unit of the value. */
export const recordBytesMax = (valueLength: number): number => HEAD_BYTES + LEAST_BYTES + 64 + 64 + valueLength * 3;

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
  const from = offset + HEAD_BYTES;
  into[from] = kind;
  let rest = occurredAtMs;
  for (let i = 6; i > 0; i--) {
    into[from + i] = rest % BYTE_VALUES;
    rest = Math.floor(rest / BYTE_VALUES);
  }
  into[from + 7] = id.length;
  into[from + 8] = traceparent.length;
  // One text, since each call into the runtime costs more than its bytes.
  const at = from + FIXED_BYTES + into.write(tenantId + id + traceparent + value, from + FIXED_BYTES, 'utf8');
  into.writeUInt32BE(at - from, offset + 4);
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
  if (length < LEAST_BYTES || length > RECORD_MAX_BYTES) return { kind: 'damaged', next: null };
  const end = offset + HEAD_BYTES + length;
  if (end > bytes.length) return { kind: 'short' };
  const record = crc32(bytes.subarray(offset + 4, end)) === bytes.readUInt32BE(offset) ? recordAt(bytes, offset + HEAD_BYTES, end) : null;
  return record ? { kind: 'record', record, next: end } : { kind: 'damaged', next: end };
}

function recordAt(bytes: Buffer, from: number, end: number): SpoolRecord | null {
  const contract = KINDS[bytes[from] as number];
  if (!contract) return null;
  const idAt = from + FIXED_BYTES + TENANT_BYTES;
  const traceAt = idAt + (bytes[from + 7] as number);
  const valueAt = traceAt + (bytes[from + 8] as number);
  if (valueAt > end) return null;
  return {
    contract,
    tenantId: bytes.toString('latin1', from + FIXED_BYTES, idAt),
    occurredAtMs: bytes.readUIntBE(from + 1, 6),
    id: bytes.toString('latin1', idAt, traceAt),
    traceparent: valueAt > traceAt ? bytes.toString('latin1', traceAt, valueAt) : undefined,
    value: bytes.subarray(valueAt, end),
  };
}

/** As `encode` of the contracts makes it, from what was spooled: the same bytes on every try. */
export function messageOf({ contract, tenantId, occurredAtMs, id, traceparent, value }: SpoolRecord): SpooledMessage {
  const { source, schema } = namesOf(contract);
  return {
    topic: contract.topic,
    // The key of a click and of a touch is its id.
    key: id,
    value,
    headers: {
      ce_specversion: '1.0',
      ce_id: id,
      ce_source: source,
      ce_type: contract.ceType,
      ce_time: new Date(occurredAtMs).toISOString(),
      ce_dataschema: schema,
      ce_tenant: tenantId,
      'content-type': 'application/json',
      traceparent: traceparent ?? traceOf(id),
    },
  };
}

const names = new Map<EventContract, { readonly source: string; readonly schema: string }>();
function namesOf(contract: EventContract): { readonly source: string; readonly schema: string } {
  let known = names.get(contract);
  if (!known) {
    known = { source: `/baton/${contract.topic}`, schema: `urn:baton:schema:${contract.type}:v${contract.version}` };
    names.set(contract, known);
  }
  return known;
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
