import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readEnv } from './env';
import { Orders, type Telling } from './orders';

const telling = (id: string): Telling => ({ id, path: '/v1/conversions', body: { external_id: id } });
const answer = { status: 201, receiptId: 'r', verdict: 'accepted', reason: 'accepted' };

describe('the books of the shop', () => {
  it('know after a restart what was not told yet, past a torn last line', async () => {
    const file = join(await mkdtemp(join(tmpdir(), 'shop-')), 'orders.jsonl');
    const orders = await Orders.open(file);
    await orders.put(telling('a'));
    await orders.put(telling('b'));
    await orders.put({ ...telling('a'), answer });
    await writeFile(file, `${await readFile(file, 'utf8')}{"id":"c","path":"/v1/con`);
    const again = await Orders.open(file);
    expect(again.untold()).toEqual([telling('b')]);
    await again.put(telling('d'));
    expect((await Orders.open(file)).untold()).toEqual([telling('b'), telling('d')]);
    expect(again.find('/v1/conversions', 'a')).toEqual({ ...telling('a'), answer });
  });

  it('names every setting that is wrong', () => {
    expect(() => readEnv({ PORT: 'x' })).toThrow(/BATON_URL[\s\S]*BATON_API_KEY[\s\S]*PORT/);
    expect(readEnv({ BATON_URL: 'http://b/', BATON_API_KEY: 'k' })).toMatchObject({ batonUrl: 'http://b', port: 8080 });
  });
});
