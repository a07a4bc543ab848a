import { decideOld, type Terms, termsInForce } from './decision';

const terms = (change: Partial<Terms> = {}): Terms => ({
  version: 1,
  validFromMs: 0,
  state: 'active',
  hosts: ['shop.example'],
  allowHttp: false,
  landingParam: 'click_id',
  utm: {},
  fallbackUrl: null,
  ...change,
});
const link = { state: 'active' as const, destination: 'https://shop.example/spring' };

describe('where a visitor goes', () => {
  it('to the destination of an active link', () => {
    expect(decideOld(link, terms(), 'active', true)).toMatchObject({ kind: 'redirect', landing: { plain: 'https://shop.example/spring' } });
  });

  it.each([
    ['link_disabled', { ...link, state: 'disabled' as const }, terms(), 'active' as const],
    ['link_deleted', { ...link, state: 'deleted' as const }, terms(), 'active' as const],
    ['program_disabled', link, terms({ state: 'disabled' }), 'active' as const],
    ['program_deleted', link, terms({ state: 'deleted' }), 'active' as const],
    ['partner_disabled', link, terms(), 'disabled' as const],
    ['destination_refused', link, terms({ hosts: ['other.example'] }), 'active' as const],
    ['destination_refused', { ...link, destination: 'http://shop.example/' }, terms(), 'active' as const],
  ])('nowhere: %s', (reason, given, inForce, partner) => {
    expect(decideOld(given, inForce, partner, true)).toEqual({ kind: 'refused', reason });
    // With a fallback the visitor still arrives somewhere, if the program may lead there.
    const hosts = [...inForce.hosts, 'fallback.example'];
    expect(decideOld(given, { ...inForce, hosts, fallbackUrl: 'https://fallback.example/' }, partner, true)).toEqual({
      kind: 'fallback',
      url: 'https://fallback.example/',
      reason,
    });
    expect(decideOld(given, { ...inForce, fallbackUrl: 'https://fallback.example/' }, partner, true)).toEqual({ kind: 'refused', reason });
  });

  it('nowhere before the terms begin, or where no program is known', () => {
    expect(decideOld(link, undefined, 'active', true)).toEqual({ kind: 'refused', reason: 'program_not_begun' });
    expect(decideOld(link, undefined, 'active', false)).toEqual({ kind: 'refused', reason: 'program_unknown' });
  });

  it('by the highest version that is in force, to the millisecond', () => {
    const versions = [
      terms({ version: 3, validFromMs: 300 }),
      terms({ version: 2, validFromMs: 100 }),
      terms({ version: 1, validFromMs: 200 }),
    ];
    expect([99, 100, 299, 300].map((at) => termsInForce(versions, at)?.version)).toEqual([undefined, 2, 2, 3]);
  });
});
