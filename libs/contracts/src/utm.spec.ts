import fc from 'fast-check';
import { governedUtm, UTM_VALUE } from './index';

const convention = { sources: ['garden', 'kitchen'], campaigns: ['spring-2026', 'summer-2026'] };

describe('governed UTM parameters', () => {
  it('are the first of each list where the link chose nothing', () =>
    expect(governedUtm(convention, null, null)).toEqual({ utm_source: 'garden', utm_medium: 'referral', utm_campaign: 'spring-2026' }));

  it('are what the link chose, with the partner as the content', () =>
    expect(governedUtm(convention, { source: 'kitchen', campaign: 'summer-2026', term: 'pots' }, 'The_Blog 2')).toEqual({
      utm_source: 'kitchen',
      utm_medium: 'referral',
      utm_campaign: 'summer-2026',
      utm_term: 'pots',
      utm_content: 'the_blog-2',
    }));

  it('fall back to the first where a choice has left the vocabulary, and drop a term that has', () =>
    expect(governedUtm({ ...convention, terms: ['pots'] }, { source: 'gone', campaign: 'gone', term: 'gone' }, null)).toEqual({
      utm_source: 'garden',
      utm_medium: 'referral',
      utm_campaign: 'spring-2026',
    }));

  it('have no term where the convention allows none', () =>
    expect(governedUtm({ ...convention, terms: [] }, { term: 'pots' }, null)).not.toHaveProperty('utm_term'));

  it('are always well formed, whatever was chosen and whatever the partner is called', () => {
    const words = fc.dictionary(fc.constantFrom('source', 'campaign', 'term', 'medium', 'content'), fc.string({ unit: 'binary' }));
    fc.assert(
      fc.property(words, fc.string({ unit: 'binary' }), (chosen, key) => {
        const utm = governedUtm(convention, chosen, key);
        expect(utm['utm_medium']).toBe('referral');
        for (const value of Object.values(utm)) expect(value).toMatch(UTM_VALUE);
      }),
    );
  });
});
