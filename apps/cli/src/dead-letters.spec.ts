import { emit, encode, ReversalReceived, TOPICS } from '@baton/contracts';
import type { TopicRecord } from '@baton/platform';
import { deadLettersOf, mended, refusalOf, replayMarker } from './dead-letters';

const wire = encode(emit(ReversalReceived, ReversalReceived.sample));
const ID = `${TOPICS.reversals}/2/17`;

const record = (change: Partial<TopicRecord> = {}, headers: Record<string, string> = {}): TopicRecord => ({
  partition: 0,
  offset: '0',
  writtenMs: Date.UTC(2026, 0, 31),
  key: Buffer.from(wire.key),
  value: Buffer.from(wire.value),
  headers: {
    ...Object.fromEntries(Object.entries(wire.headers).map(([name, text]) => [name, Buffer.from(text)])),
    baton_dlq_reason: 'schema',
    baton_dlq_error: 'schema: amountMinor must be a whole number',
    baton_dlq_partition: '2',
    baton_dlq_offset: '17',
    baton_dlq_at: '2026-01-31T12:00:00.000Z',
    ...headers,
  },
  ...change,
});
const one = (change?: Partial<TopicRecord>, headers?: Record<string, string>) =>
  deadLettersOf([record(change, headers)], TOPICS.reversals, 'attribution')[0]!;

describe('dead letters', () => {
  it('are named by where the original lies; repeats count as one', () => {
    const letters = deadLettersOf([record(), record()], TOPICS.reversals, 'attribution');
    expect(letters).toMatchObject([{ id: ID, reason: 'schema', copies: 2, replayedAt: null }]);
  });

  it('know from the marker that they were replayed', () => {
    const marker = replayMarker(one(), 'dead', new Date('2026-02-01T00:00:00.000Z'));
    const marked = record({ value: null }, marker.headers as Record<string, string>);
    expect(deadLettersOf([record(), marked], TOPICS.reversals, 'attribution')).toMatchObject([
      { id: ID, replayedAt: '2026-02-01T00:00:00.000Z' },
    ]);
  });

  it('are sent again as they came, without what the consumer added', () => {
    const message = mended(one(), {});
    expect(message).toMatchObject({
      topic: TOPICS.reversals,
      key: wire.key,
      value: Buffer.from(wire.value),
      headers: { ...wire.headers, baton_replay_of: ID },
    });
    expect(Object.keys(message.headers).filter((name) => name.startsWith('baton_dlq_'))).toEqual([]);
    expect(refusalOf(message, TOPICS.reversals)).toBeNull();
  });

  it('are mended by field, header and key, and checked as the consumer will', () => {
    const broken = one({ value: Buffer.from(wire.value.replace('2000', '12.5')) });
    expect(refusalOf(mended(broken, {}), TOPICS.reversals)).toMatch(/amountMinor/);
    expect(refusalOf(mended(broken, { set: ['amountMinor=1250', 'reason=not = as described'] }), TOPICS.reversals)).toBeNull();
    expect(JSON.parse(String(mended(broken, { set: ['reason=not = as described'] }).value))).toMatchObject({
      reason: 'not = as described',
    });
    const lost = one({ key: null }, { ce_type: 'baton.reversal.received.v9' });
    expect(refusalOf(mended(lost, { key: wire.key }), TOPICS.reversals)).toMatch(/unknown_version/);
    expect(refusalOf(mended(lost, { key: wire.key, header: ['ce_type=baton.reversal.received.v1'] }), TOPICS.reversals)).toBeNull();
    expect(mended(lost, { header: ['ce_tenant='] }).headers).not.toHaveProperty('ce_tenant');
  });

  it.each([
    [{ set: ['amountMinor'] }, /"amountMinor" is not of the form --set path=value/],
    [{ set: ['__proto__.x=1'] }, /not a path/],
    [{ set: ['reason.deeper=1'] }, /there is no "reason" to go into/],
    [{ header: ['=x'] }, /--header name=value/],
  ])('say what is wrong in %j', (mending, problem) => {
    expect(() => mended(one(), mending)).toThrow(problem);
  });

  it('cannot be replayed from a cut value alone', () => {
    const cut = one({}, { baton_dlq_cut: '9000000' });
    expect(() => mended(cut, {})).toThrow(/only the beginning of its 9000000 bytes/);
    expect(refusalOf(mended(cut, { value: wire.value }), TOPICS.reversals)).toBeNull();
  });
});
