import fc from 'fast-check';
import { UTM_VALUE } from '@baton/contracts';
import { utmOf } from './utm';

const convention = { sources: ['newsletter', 'garden'], campaigns: ['spring', 'summer-2026'], terms: null };
const rules = { utm: { utm_source: 'fixed' }, utmConvention: convention, landingParam: 'click_id' };

describe('the UTM parameters of a link', () => {
  it('are what the link chose of the vocabulary, and the key of its partner', () => {
    expect(utmOf(rules, { source: 'garden', campaign: 'summer-2026', term: 'vip' }, 'Garden-Blog.DE')).toEqual({
      utm_source: 'garden',
      utm_medium: 'referral',
      utm_campaign: 'summer-2026',
      utm_content: 'garden-blog.de',
      utm_term: 'vip',
    });
  });

  it('are the first of the vocabulary where the link chose nothing, or what is no part of it', () => {
    const first = { utm_source: 'newsletter', utm_medium: 'referral', utm_campaign: 'spring' };
    expect(utmOf(rules, null, null)).toEqual(first);
    expect(utmOf(rules, { source: 'Garden', campaign: 'constructor', term: 'Two Words' }, '')).toEqual(first);
  });

  it('hold a term only where it is allowed', () => {
    const termOf = (terms: string[] | null, term: string) =>
      utmOf({ ...rules, utmConvention: { ...convention, terms } }, { term }, null)['utm_term'];
    expect([termOf(null, 'vip'), termOf(['vip'], 'vip'), termOf(['vip'], 'other'), termOf([], 'vip'), termOf(null, 'a b')]).toEqual([
      'vip',
      'vip',
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("are the program's own without a convention, as they are", () => {
    const utm = { utm_source: 'Partner X', utm_medium: 'referral' };
    expect(utmOf({ ...rules, utm, utmConvention: null }, { source: 'garden' }, 'key')).toEqual(utm);
  });

  it('leave the place of the click id to the click id', () => {
    expect(utmOf({ ...rules, landingParam: 'utm_content' }, null, 'key')).not.toHaveProperty('utm_content');
  });

  it('are well-formed whatever the key of the partner', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }), (key) => {
        expect(utmOf(rules, null, key)['utm_content']).toMatch(UTM_VALUE);
      }),
    );
  });
});
