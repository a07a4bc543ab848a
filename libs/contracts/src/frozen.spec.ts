import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  allContracts,
  ClickRecorded,
  emit,
  encode,
  type EventContract,
  type Frozen,
  frozenFile,
  frozenOf,
  frozenText,
  incompatibilities,
  parse,
  type TenantData,
} from './index';

const FOLDER = join(__dirname, '..', 'frozen');
const FREEZE = 'npm run baton -- events freeze';
const contracts = allContracts().map((contract): [string, EventContract] => [contract.ceType, contract]);

/** What is on disk for a contract; the error says what to do. */
function read(contract: EventContract): { text: string; frozen: Frozen } {
  const path = join(FOLDER, frozenFile(contract));
  if (!existsSync(path)) throw new Error(`${contract.ceType} is not frozen. Run: ${FREEZE}`);
  const text = readFileSync(path, 'utf8');
  return { text, frozen: JSON.parse(text) as Frozen };
}

describe('what was published is kept', () => {
  test.each(contracts)('%s breaks nobody who relies on its published schema', (_name, contract) => {
    expect(incompatibilities(read(contract).frozen.schema, contract.jsonSchema())).toEqual([]);
  });

  test.each(contracts)('%s is frozen as it stands, optional additions included', (name, contract) => {
    const { text, frozen } = read(contract);
    if (frozenText(frozenOf(contract, frozen)) !== text)
      throw new Error(`${name} has grown since it was frozen, which is fine. Run: ${FREEZE}`);
  });

  test.each(contracts)('%s still reads its published sample', (_name, contract) => {
    const { sample } = read(contract).frozen;
    const { key, value, headers } = encode(emit(contract, sample as TenantData));
    expect(JSON.parse(JSON.stringify(parse(contract.topic, { key, value: Buffer.from(value), headers }).data))).toEqual(sample);
  });

  test('no event was dropped: each frozen file has its contract', () => {
    expect(readdirSync(FOLDER).sort()).toEqual(contracts.map(([, contract]) => frozenFile(contract)).sort());
  });
});

describe('freezing', () => {
  const contract = ClickRecorded as unknown as EventContract;
  const now = frozenOf(contract);
  const properties = now.schema['properties'] as Record<string, object>;

  test('a new event: its schema and its sample', () => {
    expect(now).toEqual({ schema: ClickRecorded.jsonSchema(), sample: ClickRecorded.sample });
  });

  test('takes an optional addition in, and keeps the first sample', () => {
    const { vpn: _added, ...older } = properties;
    const before = { schema: { ...now.schema, properties: older }, sample: { first: true } };
    expect(frozenOf(contract, before)).toEqual({ schema: now.schema, sample: { first: true } });
  });

  test('refuses a break, names it and says what to do', () => {
    const before = { ...now, schema: { ...now.schema, properties: { ...properties, campaign: { type: 'string' } } } };
    expect(() => frozenOf(contract, before)).toThrow(
      'baton.click.recorded.v1 is published and may not change like this:\n- campaign is gone\nTake the change back, or define a new version beside it.',
    );
  });
});
