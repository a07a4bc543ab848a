import fc from 'fast-check';
import { checkDestination } from '@baton/contracts';
import { landingOf, LOCATION_MAX_LENGTH, type MacroValues, render } from './landing';
import { SUB_ID_NAMES } from './query';

const ID = 'EQAAAAABAZwT7J4AAAAAAXz1bjrKrKhK';
const VALUES: MacroValues = {
  partnerKey: 'Garden-Blog',
  partnerId: '33333333-3333-4333-8333-333333333333',
  programId: '22222222-2222-4222-8222-222222222222',
  linkId: '44444444-4444-4444-8444-444444444444',
  slug: 'garden-spring',
  subIds: Object.fromEntries(SUB_ID_NAMES.map((name) => [name, `<${name}>`])),
  country: 'DE',
  device: 'mobile',
  os: 'ios',
  visitorId: 'visitor-1',
  atMs: 1_780_315_200_999,
};
const landing = (text: string, utm = {}) => {
  const check = checkDestination(text, { hosts: ['shop.example'], allowHttp: false });
  if (check.kind === 'refused') throw new Error(check.reasons.join());
  return landingOf(check.href, utm, 'lp');
};
const sent = (text: string, change: Partial<MacroValues> = {}, clickId: string | null = ID) =>
  render(landing(text), { ...VALUES, ...change }, clickId);
const withSid = (text: string, sid: string) => sent(text, { subIds: { sid } }, null);

describe('macros of a destination', () => {
  it.each(
    Object.entries({
      click_id: ID,
      clickid: ID,
      cid: ID,
      transaction_id: ID,
      irclickid: ID,
      partner_key: VALUES.partnerKey,
      partner_id: VALUES.partnerId,
      affiliate_id: VALUES.partnerKey,
      program_id: VALUES.programId,
      offer_id: VALUES.programId,
      link_id: VALUES.linkId,
      slug: VALUES.slug,
      country: 'DE',
      country_code: 'DE',
      device: 'mobile',
      device_type: 'mobile',
      os: 'ios',
      visitor_id: 'visitor-1',
      timestamp: '1780315200',
      ...VALUES.subIds,
    }),
  )('{%s} is %s in a path, a value, a name and a fragment, with escaped braces too', (name, value) => {
    for (const macro of [`{${name}}`, `%7B${name}%7D`, `%7b${name}%7d`]) {
      const url = new URL(sent(`https://shop.example/a/${macro}/b?x=${macro}&${macro}=y#z-${macro}`));
      expect(decodeURIComponent(url.pathname)).toBe(`/a/${value}/b`);
      expect([...url.searchParams]).toEqual([
        ['x', value],
        [value, 'y'],
        ['lp', ID],
      ]);
      expect(decodeURIComponent(url.hash)).toBe(`#z-${value}`);
    }
  });

  it('that nobody knows stay as they are, byte for byte', () => {
    const text =
      'https://shop.example/%7Bnope%7D/%7bSid%7d?a={nope}&b={}&c={sid&d=sid}&e={{nope}}&f=%257Bsid%257D#{constructor}{__proto__}';
    expect(sent(text, {}, null)).toBe(text);
  });

  it('without a value are empty', () => {
    const none = { partnerKey: null, subIds: {}, country: null, os: null, visitorId: null };
    expect(sent('https://shop.example/{sid}?a={sub1}{country}&b={os}&c={visitor_id}&d={partner_key}', none, null)).toBe(
      'https://shop.example/?a=&b=&c=&d=',
    );
    expect(sent('https://shop.example/x?a={affiliate_id}', none, null)).toBe(`https://shop.example/x?a=${VALUES.partnerId}`);
  });

  it('of the click id take the place of the landing parameter, if they are its very value', () => {
    expect(sent('https://shop.example/?lp={click_id}&a=1')).toBe(`https://shop.example/?lp=${ID}&a=1`);
    expect(sent('https://shop.example/?a=1&l%70=%7Bclickid%7D#x')).toBe(`https://shop.example/?a=1&l%70=${ID}#x`);
    expect(sent('https://shop.example/?other={click_id}')).toBe(`https://shop.example/?other=${ID}&lp=${ID}`);
    for (const forged of ['lp=x{click_id}', 'lp={sid}', 'lp=', 'lp', 'lp={click_id}{sid}'])
      expect(sent(`https://shop.example/?${forged}&a=1`)).toBe(`https://shop.example/?a=1&lp=${ID}`);
    expect(sent('https://shop.example/?lp=forged&lp={cid}&a=1&lp={cid}')).toBe(`https://shop.example/?lp=${ID}&a=1`);
  });

  it('of the click id are empty where there is none, and the landing parameter is left out', () => {
    expect(sent('https://shop.example/?lp={click_id}&a=1', {}, null)).toBe('https://shop.example/?a=1');
    expect(sent('https://shop.example/{click_id}/x?o={cid}', {}, null)).toBe('https://shop.example//x?o=');
    expect(sent('https://shop.example/?lp={click_id}', {}, null)).toBe('https://shop.example/');
  });

  it('are no macros in UTM values, which are text', () => {
    const url = new URL(render(landing('https://shop.example/', { utm_content: '{sid}' }), VALUES, null));
    expect(url.searchParams.get('utm_content')).toBe('{sid}');
  });
});

describe('what a visitor puts into a macro', () => {
  it('never climbs in a path', () => {
    const climbing = ['.', '..', '%2e%2e', './..', '../../x', '..\\..', '.%2e'];
    for (const sid of climbing) {
      expect(new URL(withSid('https://shop.example/a/b/{sid}/c', sid)).pathname).toMatch(/^\/a\/b\/[^/]*\/c$/);
      expect(new URL(withSid('https://shop.example/a/b/{sid}', sid)).pathname).toMatch(/^\/a\/b\/[^/]*$/);
      expect(new URL(withSid('https://shop.example/a/b/{sid}{sid}/c', sid)).pathname).toMatch(/^\/a\/b\/[^/]*\/c$/);
    }
    // A literal dot beside a macro would climb where the value is a dot or nothing: such a macro is none.
    for (const sid of ['', '.', 'x'])
      expect(withSid('https://shop.example/a/.{sid}/%2E%2e{sid}/c', sid)).toBe('https://shop.example/a/.%7Bsid%7D/%2E%2e%7Bsid%7D/c');
    expect(withSid('https://shop.example/v1.{sid}/c', '.')).toBe('https://shop.example/v1../c');
  });

  it.each(['lp', 'LP', 'lp[]', ' lp', 'lp[x', 'utm_source', 'utm.source', 'utm source'])('never speaks in our place: %s', (name) => {
    const made = landing('https://shop.example/?{sid}=forged&l{sub1}=forged&a=1', { utm_source: 'ours' });
    const url = new URL(render(made, { ...VALUES, subIds: { sid: name, sub1: 'p' } }, ID));
    expect([...url.searchParams]).toEqual([
      ['{sid}', 'forged'],
      ['l{sub1}', 'forged'],
      ['a', '1'],
      ['utm_source', 'ours'],
      ['lp', ID],
    ]);
  });

  it('never speaks in our place by being absent', () => {
    expect(withSid('https://shop.example/?lp{sid}=forged', '')).toBe('https://shop.example/?lp{sid}=forged');
  });

  it('never makes a URL so long that it is refused on the way', () => {
    const subIds = Object.fromEntries(SUB_ID_NAMES.map((name) => [name, '\u{1f389}'.repeat(255)]));
    const text = `https://shop.example/?slug={slug}&${'a={sid}&'.repeat(100)}`;
    const url = sent(text, { subIds });
    expect(url.length).toBeLessThanOrEqual(LOCATION_MAX_LENGTH);
    expect(new URL(url).searchParams.get('lp')).toBe(ID);
    expect(url).toContain('slug=garden-spring&a=&');
  });

  it('may be broken text: half a character is sent as U+FFFD', () => {
    expect(new URL(withSid('https://shop.example/?a={sid}', 'x\ud83c!')).searchParams.get('a')).toBe('x\ufffd!');
  });

  it('stays on the site, is fit for a header, and reads back as it was, whatever it is', () => {
    const value = fc.oneof(fc.string({ unit: 'binary', maxLength: 80 }), fc.string({ unit: 'grapheme', maxLength: 80 }), fc.webUrl());
    const macros = fc.record({ sid: value, sub1: value, sub2: value, sub3: value });
    fc.assert(
      fc.property(macros, (subIds) => {
        const clean = (text: string) => text.replace(/\p{Cc}/gu, '').replace(/\p{Surrogate}/gu, '\ufffd');
        const url = sent('https://shop.example/p/x-{sid}-/q?n-{sub1}=1&v={sub2}&v2={sub2}#f={sub3}&g', { subIds });
        expect(url).toMatch(/^[\x21-\x7e]+$/);
        expect(url).not.toMatch(/%(?:[01][0-9a-f]|7f)/i);
        const read = new URL(url);
        expect(read.origin).toBe('https://shop.example');
        expect(read.pathname.split('/').map(decodeURIComponent)).toEqual(['', 'p', `x-${clean(subIds.sid)}-`, 'q']);
        expect([...read.searchParams]).toEqual([
          [`n-${clean(subIds.sub1)}`, '1'],
          ['v', clean(subIds.sub2)],
          ['v2', clean(subIds.sub2)],
          ['lp', ID],
        ]);
        expect(decodeURIComponent(read.hash)).toBe(`#f=${clean(subIds.sub3)}&g`);
      }),
      { numRuns: 2_000 },
    );
  });
});
