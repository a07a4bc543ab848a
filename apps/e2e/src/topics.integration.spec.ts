import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { allContracts, encode, ClickRecorded, schemaFile, TOPIC_SPECS } from '@baton/contracts';
import { eventually } from '@baton/testing';
import Ajv from 'ajv/dist/2020';
import addFormats from 'ajv-formats';
import { click, convert, deadLetters, openShop, produce, query, readAll, type Shop } from './platform';

const events = join(__dirname, '../../../docs/events');

describe('the public topics', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop();
    await convert(shop, { click_id: await click(shop), external_id: 'for-the-topics' });
    await eventually(
      async () => expect(await query('reward-fulfillment', `SELECT 1 FROM rewards WHERE tenant_id = '${shop.tenantId}'`)).toHaveLength(1),
      20_000,
    );
  }, 60_000);

  it('carry messages that validate against docs/events', async () => {
    const ajv = new Ajv({ strict: false });
    addFormats(ajv);
    const isPublic = new Set(TOPIC_SPECS.filter((spec) => spec.isPublic).map((spec) => spec.topic));
    const schemas = new Map(
      allContracts()
        .filter(({ topic }) => isPublic.has(topic))
        .map((contract) => [contract.ceType, ajv.compile(JSON.parse(readFileSync(join(events, schemaFile(contract)), 'utf8')) as object)]),
    );
    const messages = await readAll([...isPublic]);
    const mine = messages.filter(({ headers }) => headers['ce_tenant']?.toString() === shop.tenantId);
    expect([...new Set(mine.map((m) => m.topic))].sort()).toEqual([
      'baton.attributions.v1',
      'baton.catalog.v1',
      'baton.clicks.v1',
      'baton.conversions.v1',
      'baton.rewards.v1',
      'baton.verdicts.v1',
    ]);
    for (const { headers, value } of mine) {
      const validate = schemas.get(headers['ce_type']?.toString() ?? '');
      expect({
        type: headers['ce_type']?.toString(),
        valid: validate?.(JSON.parse(value?.toString() ?? '')),
        errors: validate?.errors,
      }).toEqual({ type: headers['ce_type']?.toString(), valid: true, errors: null });
    }
  });

  it('bear poison: each bad message becomes a dead letter, the good ones beside it take effect, nobody ends', async () => {
    const good = Array.from({ length: 200 }, () => click(shop));
    const before = (await deadLetters('attribution', 'baton.clicks.v1')).length;
    const { key, headers, value } = encode({ contract: ClickRecorded, data: ClickRecorded.sample } as never);
    const bad = (change: object): string => JSON.stringify({ ...ClickRecorded.sample, ...change });
    await produce('baton.clicks.v1', [
      { key, headers, value: 'not json' },
      { key, headers, value: null },
      { key, headers, value: '' },
      { key, headers, value: '['.repeat(5_000) + ']'.repeat(5_000) },
      { key, headers, value: bad({ linkNumber: 'one', bot: 'no' }) },
      { key, headers: { ...headers, ce_tenant: shop.tenantId }, value },
      { key, headers, value: bad({ destination: 'x'.repeat(1_000_000) }) },
      { key, headers: { ...headers, ce_type: 'baton.click.recorded.v9' }, value },
      { key: null, headers, value },
      { key, headers, value: bad({ occurredAt: '2026-02-31T12:00:00.000Z' }) },
      { key, headers, value: bad({ linkNumber: 1.5 }) },
      { key, headers: { ...headers, ce_type: 'baton.nothing.happened.v1' }, value },
    ]);
    const ids = await Promise.all(good);
    await eventually(
      async () =>
        expect(await query('attribution', `SELECT 1 FROM clicks WHERE filled AND click_id = ANY ('{${ids.join(',')}}')`)).toHaveLength(200),
      30_000,
    );
    const reasons = await eventually(async () => {
      const letters = await deadLetters('attribution', 'baton.clicks.v1');
      expect(letters).toHaveLength(before + 12);
      return letters.slice(-12).map((m) => m.headers['baton_dlq_reason']?.toString());
    }, 30_000);
    expect([...reasons].sort()).toEqual(
      [
        'empty',
        'not_an_object',
        'not_json',
        'null_value',
        'schema',
        'schema',
        'schema',
        'too_deep',
        'too_large',
        'unknown_type',
        'unknown_version',
        'wrong_key',
        'wrong_tenant',
      ]
        .filter((r) => r !== 'not_an_object')
        .sort(),
    );
  }, 90_000);
});
