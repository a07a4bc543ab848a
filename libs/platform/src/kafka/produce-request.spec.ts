import { createRequire } from 'node:module';
import fc from 'fast-check';
import { crc32c } from './crc32c';
import { murmur2, partitioner } from './partitioner';
import { encodeProduce, type ProduceRequest } from './produce-request';

type Encode = (request: ProduceRequest) => { encode(): Promise<{ buffer: Buffer }> };
const load = createRequire(__filename);
const theirs = load('kafkajs/src/protocol/requests/produce/v7/request') as Encode;
const theirCrc = load('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
const theirMurmur = load('kafkajs/src/producer/partitioners/default/murmur2') as (key: Buffer) => number;
const Long = load('kafkajs/src/utils/long') as { fromInt(value: number): { value: bigint } };
const theirPartitioner = load('kafkajs/src/producer/partitioners/default') as typeof partitioner;

const NOW_MS = 1_770_000_000_123;

/** What kafkajs itself makes of it, at our time. */
async function encodedByKafkajs(request: ProduceRequest): Promise<Buffer> {
  const clock = jest.spyOn(Date, 'now').mockReturnValue(NOW_MS);
  try {
    return (await theirs(request).encode()).buffer;
  } finally {
    clock.mockRestore();
  }
}

const text = (maxLength: number): fc.Arbitrary<string> => fc.oneof(fc.string({ maxLength }), fc.string({ unit: 'binary', maxLength }));
const bytes = (maxLength: number): fc.Arbitrary<Buffer> => fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));
/** Lengths at which a length takes one byte more, and such as real values have. */
const long = fc
  .constantFrom(62, 63, 64, 65, 127, 128, 8_150, 8_191, 8_192, 16_383, 16_384, 200_000)
  .map((length) => 'é'.repeat(length / 2) + 'x'.repeat(length % 2));
const headers = fc
  .uniqueArray(
    fc.tuple(
      text(80).filter((name) => name !== '__proto__'),
      fc.oneof(text(120), bytes(120)),
    ),
    { maxLength: 20, selector: ([name]) => name },
  )
  .map((entries) => Object.fromEntries(entries));
const message = fc.record(
  {
    key: fc.option(fc.oneof(text(70), bytes(70)), { nil: null }),
    value: fc.oneof({ weight: 5, arbitrary: fc.option(fc.oneof(text(300), bytes(300)), { nil: null }) }, { weight: 1, arbitrary: long }),
    headers,
  },
  { requiredKeys: ['key', 'value'] },
);
const request: fc.Arbitrary<ProduceRequest> = fc.record({
  acks: fc.constantFrom(-1, 0, 1),
  timeout: fc.integer({ min: 0, max: 60_000 }),
  transactionalId: fc.constantFrom(null),
  producerId: fc.integer({ min: -1, max: 2 ** 31 - 1 }).map((id) => Long.fromInt(id)),
  producerEpoch: fc.integer({ min: 0, max: 32_767 }),
  compression: fc.constantFrom(0),
  topicData: fc.array(
    fc.record({
      topic: fc.string({ minLength: 1, maxLength: 40 }),
      partitions: fc.array(
        fc.record({
          partition: fc.nat(1_000),
          firstSequence: fc.nat(2 ** 31 - 1),
          messages: fc.array(message, { minLength: 1, maxLength: 70 }),
        }),
        { minLength: 1, maxLength: 3 },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
});

describe('our encoder of Produce requests', () => {
  it('gives byte for byte what kafkajs gives', async () => {
    await fc.assert(
      fc.asyncProperty(request, async (any) => {
        const ours = encodeProduce(any, NOW_MS);
        const expected = await encodedByKafkajs(any);
        expect(ours?.size()).toBe(expected.length);
        expect(ours?.buffer.equals(expected)).toBe(true);
      }),
      { numRuns: 150 },
    );
  }, 60_000);

  it('also for each length around those at which a length grows', async () => {
    for (const around of [0, 64, 8_192, 1_048_576 / 8])
      for (let length = Math.max(0, around - 60); length < around + 10; length++) {
        const messages = [{ key: 'k', value: 'v'.repeat(length) }];
        const one = { acks: -1, timeout: 30_000, topicData: [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages }] }] };
        expect(encodeProduce(one, NOW_MS)?.buffer.equals(await encodedByKafkajs(one))).toBe(true);
      }
  });

  it('leaves what is not its own to kafkajs', () => {
    const of = (change: object, more: object = {}): ProduceRequest => ({
      acks: -1,
      timeout: 1,
      topicData: [{ topic: 't', partitions: [{ partition: 0, messages: [{ key: null, value: 'v', ...change }] }] }],
      ...more,
    });
    expect(encodeProduce(of({}), NOW_MS)).not.toBeNull();
    for (const foreign of [
      of({}, { compression: 1 }),
      of({}, { transactionalId: 'x' }),
      of({ timestamp: '1770000000000' }),
      of({ headers: { list: ['a', 'b'] } }),
      of({ headers: { none: null } }),
      of({ headers: Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`h${i}`, 'v'])) }),
      of({ value: Buffer.alloc(1_000_001) }),
    ])
      expect(encodeProduce(foreign, NOW_MS)).toBeNull();
  });
});

describe('sums and partitions', () => {
  it('crc32c is that of the standard, and kafkajs’s, of any part of a buffer', () => {
    // RFC 3720, B.4, and the check value of the catalogue of CRCs.
    expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283);
    expect(crc32c(Buffer.alloc(32), 0, 32)).toBe(0x8a9136aa);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(50), fc.nat(50), (array, from, cut) => {
        const start = Math.min(from, array.length);
        const end = Math.max(start, array.length - cut);
        const part = Buffer.from(array).subarray(start, end);
        expect(crc32c(array, start, end)).toBe(theirCrc(part));
      }),
    );
  });

  it('a key goes to the partition that kafkajs, and with it every Java client, gives it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 1, max: 100 }), (array, count) => {
        const key = Buffer.from(array);
        expect(murmur2(key)).toBe(theirMurmur(key));
        const partitionMetadata = Array.from({ length: count }, (_, partitionId) => ({ partitionId, leader: 0 }));
        const asked = { topic: 't', partitionMetadata, message: { key, value: null } } as unknown as Parameters<
          ReturnType<typeof partitioner>
        >[0];
        expect(partitioner()(asked)).toBe(theirPartitioner()(asked));
      }),
      { numRuns: 1_000 },
    );
  });

  it('messages without a key go in turns to partitions that have a leader', () => {
    const turns = partitioner();
    const partitionMetadata = [
      { partitionId: 0, leader: 1 },
      { partitionId: 1, leader: -1 },
      { partitionId: 2, leader: 1 },
    ];
    const asked = { topic: 't', partitionMetadata, message: { key: null, value: 'v' } } as unknown as Parameters<typeof turns>[0];
    expect(new Set(Array.from({ length: 10 }, () => turns(asked)))).toEqual(new Set([0, 2]));
  });
});
