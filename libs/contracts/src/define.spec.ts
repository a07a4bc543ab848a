import {
  allContracts,
  AttributionRevised,
  ClickRecorded,
  defineEvent,
  emit,
  encode,
  type EventContract,
  InvalidEvent,
  IdentityLinked,
  parse,
  type RawMessage,
  ReversalReceived,
  TOPICS,
  validated,
  VALUE_MAX_BYTES,
} from './index';

const contracts = allContracts().map((contract): [string, EventContract] => [contract.ceType, contract]);
const OTHER_TENANT = '99999999-1111-4111-8111-111111111111';

describe('an envelope', () => {
  test.each(contracts)('%s: its sample is a message that is read back', (_name, contract) => {
    const received = parse(contract.topic, messageOf(contract));
    expect(received).toMatchObject({ contract, id: contract.idOf(contract.sample), key: contract.keyOf(contract.sample) });
    expect(JSON.parse(JSON.stringify(received.data))).toEqual(contract.sample);
  });

  test('is CloudEvents 1.0 in binary mode', () => {
    const { key, headers } = encode(emit(ClickRecorded, ClickRecorded.sample), '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01');
    expect(key).toBe('EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK');
    expect(headers).toEqual({
      ce_specversion: '1.0',
      ce_id: 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK',
      ce_source: '/baton/baton.clicks.v1',
      ce_type: 'baton.click.recorded.v1',
      ce_time: '2026-01-31T12:00:00.000Z',
      ce_dataschema: 'urn:baton:schema:click.recorded:v1',
      ce_tenant: '11111111-1111-4111-8111-111111111111',
      'content-type': 'application/json',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    });
  });

  test('carries the trace on', () => {
    expect(parse(TOPICS.clicks, messageOf(ClickRecorded, { traceparent: '00-1-2-01' })).traceparent).toBe('00-1-2-01');
    expect(parse(TOPICS.clicks, messageOf(ClickRecorded))).not.toHaveProperty('traceparent');
  });

  test('a header that was sent twice counts as its first value; one without a value is not there', () => {
    const { ce_tenant } = messageOf(ClickRecorded).headers as Record<string, string>;
    expect(parse(TOPICS.clicks, messageOf(ClickRecorded, { ce_tenant: [Buffer.from(ce_tenant as string), OTHER_TENANT] })).id).toBe(
      ClickRecorded.sample.clickId,
    );
    expect(refusal(messageOf(ClickRecorded, { ce_tenant: null }))).toMatch(/^wrong_tenant/);
    expect(refusal(messageOf(ClickRecorded, { ce_type: [null] }))).toMatch(/^unknown_type/);
  });

  test('fields that the schema does not know do no harm and are not passed on', () => {
    const message = messageOf(ClickRecorded, {}, { ...ClickRecorded.sample, later: { deep: [1] } });
    expect(parse(TOPICS.clicks, message).data).not.toHaveProperty('later');
  });

  test('identifiers in another order have the same key', () => {
    const { sample } = IdentityLinked;
    expect(IdentityLinked.keyOf({ ...sample, identifiers: [...sample.identifiers].reverse() })).toBe(IdentityLinked.keyOf(sample));
  });

  test('a type and version is defined once', () => {
    expect(() => defineEvent({ ...ClickRecorded })).toThrow('baton.click.recorded.v1 is defined twice');
  });
});

describe('every fault has its own reason, and says what is wrong', () => {
  const { sample } = ClickRecorded;
  const withValue = (value: string | Buffer | null | undefined): RawMessage => ({
    ...messageOf(ClickRecorded),
    value: typeof value === 'string' ? Buffer.from(value) : value,
  });
  const nested = (levels: number): string => `{"a":${'['.repeat(levels)}${']'.repeat(levels)}}`;

  test.each<[string, RawMessage]>([
    ['unknown_type: the message has no ce_type header', messageOf(ClickRecorded, { ce_type: undefined })],
    [
      'unknown_type: baton.conversion.received.v1 is not a type of baton.clicks.v1; it carries baton.click.recorded.v1',
      messageOf(ClickRecorded, { ce_type: 'baton.conversion.received.v1' }),
    ],
    [
      'unknown_version: baton.click.recorded.v2 is a version that baton.clicks.v1 does not carry',
      messageOf(ClickRecorded, { ce_type: 'baton.click.recorded.v2' }),
    ],
    ['wrong_tenant: ce_tenant is not the tenant of the data', messageOf(ClickRecorded, { ce_tenant: OTHER_TENANT })],
    ['wrong_tenant: ce_tenant is not the tenant of the data', messageOf(ClickRecorded, { ce_tenant: undefined })],
    [`wrong_key: the key of this message must be "${sample.clickId}"`, { ...messageOf(ClickRecorded), key: 'another' }],
    [`wrong_key: the key of this message must be "${sample.clickId}"`, { ...messageOf(ClickRecorded), key: null }],
    [`wrong_id: ce_id must be "${sample.clickId}"`, messageOf(ClickRecorded, { ce_id: 'another' })],
    ['null_value: the message has no value', withValue(null)],
    ['null_value: the message has no value', withValue(undefined)],
    ['empty: the value has no bytes', withValue('')],
    [`too_large: 1048576 bytes; at most ${VALUE_MAX_BYTES} are read`, withValue(Buffer.alloc(1024 * 1024, 0x20))],
    ['too_deep: nested deeper than 32', withValue(nested(5000))],
    ['too_deep: nested deeper than 32', withValue(nested(32))],
    ['not_an_object: the value is JSON, but not an object', withValue('[]')],
    ['forbidden_key: the key "__proto__" is not allowed anywhere', withValue('{"a":[{"__proto__":{}}]}')],
    ['schema: baton.click.recorded.v1: bot must be a boolean value', messageOf(ClickRecorded, {}, { ...sample, bot: 'no' })],
  ])('%s', (expected, message) => {
    expect(refusal(message)).toBe(expected);
  });

  test('bytes that are no JSON', () => {
    expect(refusal(withValue('{"a":'))).toMatch(/^not_json: /);
    expect(refusal(withValue(Buffer.from([0xff, 0x00])))).toMatch(/^not_json: /);
  });

  test('a schema fault deep inside names its place', () => {
    const { sample: attribution } = AttributionRevised;
    const credits = [{ ...attribution.credits[0], shareNumerator: 0 }];
    const message = messageOf(AttributionRevised, {}, { ...attribution, credits });
    expect(() => parse(TOPICS.attributions, message)).toThrow(
      'schema: baton.attribution.revised.v1: credits.0: shareNumerator must not be less than 1',
    );
  });

  test('the tenant is checked against the data, so that no tenant can write for another', () => {
    const message = messageOf(ReversalReceived, {}, { ...ReversalReceived.sample, tenantId: OTHER_TENANT });
    expect(() => parse(TOPICS.reversals, message)).toThrow(/^wrong_tenant/);
  });

  test('a producer is told the same before it sends', () => {
    expect(() => validated(ClickRecorded, { ...sample, occurredAt: '2026-02-31T12:00:00.000Z' })).toThrow(
      new InvalidEvent(
        'schema',
        'baton.click.recorded.v1: occurredAt must be a real instant in UTC with milliseconds, such as 2026-01-31T12:00:00.000Z',
      ),
    );
  });
});

/** A message as it stands in Kafka, with some headers changed or another value under the sample's envelope. */
function messageOf<T extends { tenantId: string }>(
  contract: EventContract<T>,
  headers: Record<string, unknown> = {},
  value: object = contract.sample,
): RawMessage {
  const message = encode(emit(contract, contract.sample));
  return {
    key: Buffer.from(message.key),
    value: Buffer.from(JSON.stringify(value)),
    headers: { ...message.headers, ...headers } as RawMessage['headers'],
  };
}

function refusal(message: RawMessage): string {
  try {
    parse(TOPICS.clicks, message);
    return 'read';
  } catch (error) {
    return error instanceof InvalidEvent ? error.message : `not an InvalidEvent: ${String(error)}`;
  }
}
