import { randomUUID } from 'node:crypto';
import { eventually } from '@baton/testing';
import { admin, balances, call, click, convert, openShop, query, type Shop } from './platform';

const verify = (shop: Shop, external_id: string, more: object = {}) =>
  call('conversion-ingest', '/v1/verifications', { method: 'POST', key: shop.apiKey, body: { external_id, ...more } });

const outcomeOf = async (shop: Shop, externalId: string) =>
  (
    await query<{ outcome: string; finer: string | null }>(
      'attribution',
      `SELECT a.outcome, a.content->>'finerReason' AS finer FROM attributions a JOIN conversions c USING (tenant_id, conversion_id)
       WHERE c.external_id = '${externalId}' AND c.tenant_id = '${shop.tenantId}' ORDER BY a.revision DESC LIMIT 1`,
    )
  )[0];

describe('a signup that must be verified', () => {
  const signUp = (shop: Shop, external_id: string, click_id: string) =>
    convert(shop, { external_id, click_id, type: 'signup', amount_minor: null, currency: null, pending_verification: true });
  const held = (shop: Shop) => balances(shop).then((all) => all['partner:held'] ?? 0);
  const flatShop = async () => {
    const shop = await openShop();
    await admin(shop.tenantId, '/v1/plans', {
      program_id: shop.programId,
      name: 'Signup',
      kind: 'flat',
      amount_minor: 500,
      currency: 'EUR',
      conversion_types: ['signup'],
    });
    return shop;
  };

  it('pays nothing, however long it waits, and its flat reward once it is verified, once', async () => {
    const shop = await flatShop();
    const clickId = await click(shop);
    expect((await signUp(shop, 's1', clickId)).body).toMatchObject({ verdict: 'accepted', pending_verification: true });
    await eventually(
      async () => expect(await outcomeOf(shop, 's1')).toEqual({ outcome: 'pending', finer: 'awaiting_verification' }),
      20_000,
    );
    // One that is judged after it: what comes to money of the first would have come by then.
    expect((await verify(shop, 's2')).status).toBe(201);
    expect((await signUp(shop, 's2', clickId)).status).toBe(201);
    await eventually(async () => expect(await held(shop)).toBe(500), 30_000);
    expect(await outcomeOf(shop, 's1')).toEqual({ outcome: 'pending', finer: 'awaiting_verification' });

    const first = await verify(shop, 's1', { occurred_at: new Date().toISOString() });
    expect([first.status, first.body.kind, first.body.external_id]).toEqual([201, 'verification', 's1']);
    await eventually(async () => expect(await held(shop)).toBe(1_000), 30_000);
    const again = await verify(shop, 's1');
    expect([again.status, again.body.receipt_id, again.headers.get('baton-verdict')]).toEqual([200, first.body.receipt_id, 'duplicate']);
    const receipts = await call('conversion-ingest', '/v1/receipts?external_id=s1', { key: shop.apiKey });
    expect((receipts.body.receipts as { kind: string }[]).map(({ kind }) => kind)).toEqual(['conversion', 'verification']);
    expect(await held(shop)).toBe(1_000);
  }, 120_000);
});

describe('the referral loop', () => {
  interface Referrer {
    readonly share_url: string;
    readonly partner: { readonly id: string; readonly referred_by: string | null; readonly referral_depth: number };
  }

  it('turns: who signs up by a friend’s link has a link at once, and nobody comes back to themself', async () => {
    const shop = await openShop();
    const program = await admin(shop.tenantId, `/v1/programs/${shop.programId}/versions`, { enrol_customers: true });
    expect(program.enrol_customers).toBe(true);
    const name = (customer: string) => `${customer}-${randomUUID()}`;
    const [a, b, c] = [name('a'), name('b'), name('c')];
    const referrer = (customer: string): Promise<Referrer> =>
      eventually(
        () => admin(shop.tenantId, `/v1/referrers?customer_id=${customer}&program_id=${shop.programId}`) as Promise<Referrer>,
        20_000,
      );
    const clickOn = async (slug: string): Promise<string> => {
      await eventually(async () => expect((await call('click-redirect', `/r/${slug}`)).status).toBe(302), 20_000);
      return click({ ...shop, slug });
    };
    /** Signs up by a link; gives the share link. */
    const join = async (
      customer: string,
      slug: string,
      depth: unknown = expect.any(Number),
    ): Promise<{ depth: number; slug: string; partner: Referrer['partner'] }> => {
      const clickId = await clickOn(slug);
      const told = await eventually(async () => {
        const { body } = await convert(shop, { validate_only: true, customer_id: customer, click_id: clickId });
        expect(body.referral_depth).toEqual(depth);
        return convert(shop, { customer_id: customer, click_id: clickId });
      }, 20_000);
      expect(told.status).toBe(201);
      const { share_url, partner } = await referrer(customer);
      return { depth: told.body.referral_depth, slug: share_url.split('/').at(-1) as string, partner };
    };
    /** By whose link they came is known with their attribution. */
    const placed = (customer: string, by: string | null, depth: number) =>
      eventually(async () => expect((await referrer(customer)).partner).toMatchObject({ referred_by: by, referral_depth: depth }), 20_000);
    const first = await join(a, shop.slug);
    await placed(a, null, 0);
    const second = await join(b, first.slug);
    await placed(b, first.partner.id, 1);
    // Until the edge has heard of it, too.
    const third = await join(c, second.slug, 2);
    await placed(c, second.partner.id, 2);
    expect([first.depth, second.depth, third.depth]).toEqual([0, 1, 2]);
    const back = { customer_id: a, click_id: await clickOn(third.slug) };
    await eventually(async () => expect((await convert(shop, { ...back, validate_only: true })).body.code).toBe('self_referral'), 20_000);
    expect((await convert(shop, back)).status).toBe(422);
    await eventually(async () => expect((await balances(shop))['program:expense']).toBe(-3_000), 30_000);
  }, 120_000);
});
