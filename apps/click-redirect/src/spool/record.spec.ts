import fc from 'fast-check';
import { ClickRecorded, emit, encode, LinkChanged, TouchRecorded } from '@baton/contracts';
import { messageOf, readRecord, recordBytesMax, recordOf, type RecordOf, RECORD_MAX_BYTES, writeRecord } from './record';

const ascii = (min: number, max: number): fc.Arbitrary<string> =>
  fc.string({ minLength: min, maxLength: max, unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) });
const facts: fc.Arbitrary<RecordOf> = fc.record({
  kind: fc.constantFrom(0, 1),
  tenantId: fc.uuid(),
  occurredAtMs: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  id: ascii(1, 64),
  traceparent: fc.option(ascii(1, 64), { nil: undefined }),
  value: fc.string({ unit: 'binary', maxLength: 400 }),
});

function bytesOf(...records: RecordOf[]): Buffer {
  const bytes = Buffer.alloc(records.reduce((sum, { value }) => sum + recordBytesMax(value.length), 0));
  return bytes.subarray(
    0,
    records.reduce((at, record) => writeRecord(bytes, at, record), 0),
  );
}
const seen = (bytes: Buffer, offset = 0): unknown => {
  const read = readRecord(bytes, offset);
  if (read.kind !== 'record') return read.kind;
  const { contract, value, ...rest } = read.record;
  return { ...rest, kind: contract === (ClickRecorded as unknown) ? 0 : 1, value: value.toString() };
};
const asWritten = (record: RecordOf): unknown => ({ ...record, value: Buffer.from(record.value).toString() });

describe('a record', () => {
  it('is read as it was written, whatever stands before and behind it, in the room that was reckoned for it', () => {
    fc.assert(
      fc.property(fc.array(facts, { minLength: 1, maxLength: 5 }), (records) => {
        const bytes = bytesOf(...records);
        let at = 0;
        for (const record of records) {
          expect(seen(bytes, at)).toEqual(asWritten(record));
          const read = readRecord(bytes, at);
          expect(read.kind === 'record' && read.next - at).toBeLessThanOrEqual(recordBytesMax(record.value.length));
          at = read.kind === 'record' ? read.next : -1;
        }
        expect(at).toBe(bytes.length);
      }),
    );
  });

  it('with any one byte changed is no record at all', () => {
    fc.assert(
      fc.property(facts, facts, fc.integer({ min: 1, max: 255 }), (record, next, change) => {
        const whole = bytesOf(record, next);
        const length = bytesOf(record).length;
        for (let at = 0; at < length; at++) {
          const bytes = Buffer.from(whole);
          bytes[at] = (bytes[at] as number) ^ change;
          expect(readRecord(bytes, 0).kind).not.toBe('record');
        }
      }),
      { numRuns: 30 },
    );
  });

  it('that is cut off at any length is short, never something else', () => {
    fc.assert(
      fc.property(facts, (record) => {
        const bytes = bytesOf(record);
        for (let length = 0; length < bytes.length; length++) expect(readRecord(bytes.subarray(0, length), 0).kind).toBe('short');
      }),
      { numRuns: 30 },
    );
  });

  it('whose rest the file system filled with zeros is damaged, blank where it begins', () => {
    const bytes = bytesOf({ ...recordOf(emit(ClickRecorded, ClickRecorded.sample), undefined) });
    expect(readRecord(Buffer.alloc(bytes.length), 0)).toEqual({ kind: 'blank' });
    for (let kept = 1; kept < bytes.length - 1; kept++) {
      const torn = Buffer.alloc(bytes.length);
      bytes.copy(torn, 0, 0, kept);
      expect(readRecord(torn, 0).kind).toBe('damaged');
    }
  });

  it('random bytes are none, and none is longer than a record may be', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 500 }), (random) => {
        const read = readRecord(Buffer.from(random), 0);
        expect(read.kind).not.toBe('record');
        if (read.kind === 'damaged' && read.next !== null) expect(read.next).toBeLessThanOrEqual(RECORD_MAX_BYTES + 8);
      }),
      { numRuns: 1_000 },
    );
  });

  it('of a kind that this version does not know is passed over', () => {
    const bytes = bytesOf(
      { ...recordOf(emit(ClickRecorded, ClickRecorded.sample), undefined), kind: 9 },
      recordOf(emit(TouchRecorded, TouchRecorded.sample), undefined),
    );
    const read = readRecord(bytes, 0);
    expect(read.kind).toBe('damaged');
    expect(read.kind === 'damaged' && read.next !== null && readRecord(bytes, read.next).kind).toBe('record');
  });

  it('of another event cannot be made', () => {
    expect(() => recordOf(emit(LinkChanged, LinkChanged.sample), undefined)).toThrow(/does not keep .*link/);
  });
});

describe('the message of a record', () => {
  const TRACE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const messageFrom = (bytes: Buffer): ReturnType<typeof messageOf> => {
    const read = readRecord(bytes, 0);
    if (read.kind !== 'record') throw new Error(read.kind);
    return messageOf(read.record);
  };

  it.each([
    ['click', emit(ClickRecorded, ClickRecorded.sample)],
    ['touch', emit(TouchRecorded, TouchRecorded.sample)],
  ])('is what the contracts make of a %s', (_, event) => {
    const { topic, key, value, headers } = messageFrom(bytesOf(recordOf(event, TRACE)));
    const direct = encode(event, TRACE);
    expect([topic, key, value.toString(), headers]).toEqual([event.contract.topic, direct.key, direct.value, direct.headers]);
  });

  it('says the same on every try, also of a trace that begins with it', () => {
    const bytes = bytesOf(recordOf(emit(ClickRecorded, ClickRecorded.sample), undefined));
    const [first, again] = [messageFrom(bytes), messageFrom(Buffer.from(bytes))];
    expect(again).toEqual(first);
    expect(first.headers['traceparent']).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});
