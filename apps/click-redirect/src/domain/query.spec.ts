import fc from 'fast-check';
import { mergedSubIds, readQuery, SUB_ID_NAMES, SUB_IDS_MAX } from './query';

const subIds = (query: string) => readQuery(`/r/abc?${query}`).subIds;

describe('what a visitor brings along', () => {
  it('keeps the sub ids of the trade, and nothing else', () => {
    const all = SUB_ID_NAMES.map((name, i) => `${name}=v${i}`).join('&');
    expect(subIds(`${all}&sid10=x&sub6=x&SID=x&click_id=x&__proto__=x&other=1`)).toEqual(
      Object.fromEntries(SUB_ID_NAMES.map((name, i) => [name, `v${i}`])),
    );
  });

  it('reads them whatever their bytes', () => {
    expect(subIds('sid=caf%C3%A9+au+lait')).toEqual({ sid: 'café au lait' });
    // What Node hands over when a client sends UTF-8 unescaped.
    expect(subIds(`sid=${Buffer.from('café 🎉'.replace(' ', '+'), 'utf8').toString('latin1')}`)).toEqual({ sid: 'café 🎉' });
    expect(subIds('sid=%zz%&sid2=%ff')).toEqual({ sid: '%zz%', sid2: '\ufffd' });
    expect(subIds('sid=a%00b%0d%0aSet-Cookie:x')).toEqual({ sid: 'abSet-Cookie:x' });
    expect(subIds('sid=first&sid=second&sub1=&sub2')).toEqual({ sid: 'first' });
    expect(subIds(`sid=${'%F0%9F%8E%89'.repeat(300)}`)).toEqual({ sid: '🎉'.repeat(255) });
    expect(readQuery('/r/abc')).toEqual({ subIds: {}, rawUtm: {} });
  });

  it('keeps UTM values as they came', () => {
    expect(readQuery('/r/abc?utm_source=News%20Letter&utm_medium=email&utm_evil=1').rawUtm).toEqual({
      utm_source: 'News Letter',
      utm_medium: 'email',
    });
  });

  it('any text that is escaped comes back, cut to 255 characters and without controls', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), (value) => {
        const clean = [...value.replace(/\p{Cc}/gu, '')].slice(0, 255).join('');
        expect(subIds(`x=1&sid=${encodeURIComponent(value)}`)).toEqual(clean === '' ? {} : { sid: clean });
      }),
    );
  });

  it("the click's own sub ids win over the link's, and stay when there are too many", () => {
    expect(mergedSubIds({ sid: 'link', channel: 'blog' }, { sid: 'click' })).toEqual({ sid: 'click', channel: 'blog' });
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`own${i}`, 'x']));
    const merged = mergedSubIds(many, { sid: 'click' });
    expect([Object.keys(merged).length, merged['sid']]).toEqual([SUB_IDS_MAX, 'click']);
  });
});
