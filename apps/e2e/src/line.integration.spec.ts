import { randomUUID } from 'node:crypto';
import { eventually } from '@baton/testing';
import { balances, call, click, convert, openShop, query, reverse, type Shop } from './platform';

describe('one click becomes one reward', () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop();
  }, 60_000);

  it('accrues the plan’s share to the partner whose link was followed, and tells the way back to the click', async () => {
    const clickId = await click(shop, '?sid=summer&sub1=%C3%A9');
    const first = await convert(shop, { click_id: clickId, external_id: 'one' });
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({ verdict: 'accepted', reason: 'accepted', external_id: 'one', program_id: shop.programId });
    const reward = await eventually(async () => {
      const { body } = await call('reward-fulfillment', '/v1/rewards?external_id=one', { key: shop.apiKey });
      expect(body.rewards).toHaveLength(1);
      const { body: traced } = await call('reward-fulfillment', `/v1/rewards/${body.rewards[0].id}`, { key: shop.apiKey });
      expect(JSON.stringify(traced)).toContain('summer');
      return traced;
    }, 20_000);
    expect(reward).toMatchObject({ amount_minor: 1_000, currency: 'EUR', partner_id: shop.partnerId, state: 'held' });
    expect(JSON.stringify(reward)).toContain(clickId);
    expect(JSON.stringify(reward)).toContain(first.body.receipt_id);
    expect(await balances(shop)).toEqual({ 'program:expense': -1_000, 'partner:held': 1_000 });

    const again = await convert(shop, { click_id: clickId, external_id: 'one' });
    expect([again.status, again.body.receipt_id, again.headers.get('baton-replayed'), again.headers.get('baton-verdict')]).toEqual([
      200,
      first.body.receipt_id,
      'true',
      'duplicate',
    ]);
    const other = await convert(shop, { click_id: clickId, external_id: 'one', amount_minor: 99 });
    expect([other.status, other.body.code]).toEqual([409, 'conflict']);
    expect(await balances(shop)).toEqual({ 'program:expense': -1_000, 'partner:held': 1_000 });
  }, 60_000);

  it('takes refunds back to the cent: in part, the rest, both again, and one that came before its sale', async () => {
    const own = await openShop(290); // 2.9 %, where binary fractions go wrong
    const clickId = await click(own);
    await convert(own, { click_id: clickId, external_id: 'a', amount_minor: 500 });
    const held = (amount: number) =>
      eventually(
        async () => expect(await balances(own)).toEqual(amount === 0 ? {} : { 'program:expense': -amount, 'partner:held': amount }),
        20_000,
      );
    await held(15); // 14.5 rounds half up
    for (let round = 0; round < 2; round++) {
      expect((await reverse(own, { external_id: 'a', reversal_id: 'r1', amount_minor: 200 })).status).toBe(round === 0 ? 201 : 200);
      await held(round === 0 ? 9 : 0); // 300 x 2.9 % = 8.7; and nothing more once all is back
      expect((await reverse(own, { external_id: 'a', reversal_id: 'r2', amount_minor: 300 })).status).toBe(round === 0 ? 201 : 200);
      await held(0);
    }
    expect((await reverse(own, { external_id: 'b' })).status).toBe(201);
    const late = await convert(own, { click_id: clickId, external_id: 'b', amount_minor: 700 });
    expect(late.status).toBe(201);
    await eventually(
      async () =>
        expect(
          await query(
            'attribution',
            `SELECT 1 FROM conversions WHERE external_id = 'b' AND tenant_id = '${own.tenantId}' AND revision > 0`,
          ),
        ).toHaveLength(1),
      20_000,
    );
    await held(0);
    const [sums] = await query<{ sum: string | null }>(
      'reward-fulfillment',
      `SELECT coalesce(sum(amount_minor), 0)::text AS sum FROM entries WHERE tenant_id = '${own.tenantId}'`,
    );
    expect(sums?.sum).toBe('0');
  }, 90_000);

  it('credits a customer who was tied to a click before, and one who is tied to it later', async () => {
    const own = await openShop();
    const customer = randomUUID();
    const clickId = await click(own);
    const when = new Date(Date.now() + 1_000).toISOString();
    expect((await convert(own, { customer_id: customer, external_id: 'late', occurred_at: when })).status).toBe(201);
    const outcome = async (externalId: string) =>
      (
        await query<{ outcome: string; reason: string }>(
          'attribution',
          `SELECT a.outcome, a.content->>'reason' AS reason FROM attributions a JOIN conversions c USING (tenant_id, conversion_id) WHERE c.external_id = '${externalId}' AND c.tenant_id = '${own.tenantId}' ORDER BY a.revision DESC LIMIT 1`,
        )
      )[0];
    await eventually(async () => expect(await outcome('late')).toEqual({ outcome: 'unattributed', reason: 'no_touch' }), 20_000);
    expect(
      (
        await call('conversion-ingest', '/v1/identities', {
          method: 'POST',
          key: own.apiKey,
          body: { click_id: clickId, customer_id: customer },
        })
      ).status,
    ).toBe(201);
    await eventually(async () => expect(await outcome('late')).toEqual({ outcome: 'attributed', reason: 'credited' }), 20_000);
    expect((await convert(own, { customer_id: customer, external_id: 'next' })).status).toBe(201);
    await eventually(async () => expect(await balances(own)).toEqual({ 'program:expense': -2_000, 'partner:held': 2_000 }), 20_000);
  }, 90_000);

  it('gives an existing customer a share link, once, and credits who shares it', async () => {
    const own = await openShop();
    const enrol = () =>
      call('control-plane', '/v1/referrers', {
        method: 'POST',
        key: JSON.parse(process.env['E2E_PLATFORM'] ?? '{}').adminKey as string,
        headers: { 'baton-tenant': own.tenantId },
        body: { customer_id: 'customer-1', program_id: own.programId, destination: 'https://shop.example/friends' },
      });
    const [first, second] = [await enrol(), await enrol()];
    expect([first.status, second.status]).toEqual([201, 200]);
    expect(second.body.share_url).toBe(first.body.share_url);
    const slug = (first.body.share_url as string).split('/').at(-1) as string;
    await eventually(async () => expect((await call('click-redirect', `/r/${slug}`)).status).toBe(302), 20_000);
    const clickId = await click({ ...own, slug });
    await convert(own, { click_id: clickId });
    await eventually(async () => expect(await balances(own)).toMatchObject({ 'partner:held': 1_000 }), 20_000);
  }, 60_000);
});
