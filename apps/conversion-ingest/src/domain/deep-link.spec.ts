import { LinkChanged, mintClickId, ProgramChanged } from '@baton/contracts';
import fc from 'fast-check';
import { type DeepLinkAsked, deepLinkFound, readDeepLink } from './deep-link';

const DAY_MS = 86_400_000;
const nowMs = Date.UTC(2026, 5, 1);
const clickIdKeys = new Map([[1, Buffer.alloc(32, 5)]]);
const [tenantId, otherTenant] = ['11111111-1111-4111-8111-111111111111', '99999999-9999-4999-8999-999999999999'];
const clickOf = (nonce: number, { occurredAtMs = nowMs - 60_000, tenant = tenantId } = {}): string =>
  mintClickId(clickIdKeys, tenant, { keyId: 1, linkNumber: 7, occurredAtMs, nonce });
const read = (asked: DeepLinkAsked) => readDeepLink(asked, { tenantId, nowMs, clickIdKeys, landingParams: ['ref', 'sub_id'] });
const [one, two] = [clickOf(1), clickOf(2)];
const foreign = clickOf(3, { tenant: otherTenant });
const named = (match: string, refusal: string | null = null) => ({ kind: 'named', clickId: one, linkNumber: 7, match, refusal });
const refused = (reason: string) => ({ kind: 'refused', reason });

describe('the click that led to an app', () => {
  it.each<[string, DeepLinkAsked, object]>([
    ['the install referrer', { install_referrer: `click_id=${one}&utm_source=blog` }, named('install_referrer')],
    ['the program’s own parameter in it', { install_referrer: `utm_source=blog&ref=${one}` }, named('install_referrer')],
    ['a referrer that came escaped', { install_referrer: `click_id%3D${one}%26utm_source%3Dblog` }, named('install_referrer')],
    ['a pasted code', { token: ` ${one}\n` }, named('token')],
    ['both, of one click', { install_referrer: `click_id=${one}`, token: one }, named('install_referrer')],
    ['a code beside a forged referrer', { install_referrer: `click_id=${foreign}`, token: one }, named('token')],
    [
      'a referrer beside whatever was in the clipboard',
      { install_referrer: `click_id=${one}`, token: 'my shopping' },
      named('install_referrer'),
    ],
    ['nothing', {}, refused('no_evidence')],
    ['empty texts', { install_referrer: '', token: '  ' }, refused('no_evidence')],
    ['an organic referrer', { install_referrer: 'utm_source=google-play&utm_medium=organic' }, refused('no_evidence')],
    ['an id under a name that is no program’s', { install_referrer: `gclid=${one}` }, refused('no_evidence')],
    ['another tenant’s id', { token: foreign }, refused('click_forged')],
    ['an altered id', { token: one.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')) }, refused('click_forged')],
    ['two clicks, by two ways', { install_referrer: `click_id=${one}`, token: two }, refused('ambiguous')],
    ['two clicks in one referrer', { install_referrer: `click_id=${one}&ref=${two}` }, refused('ambiguous')],
    ['two clicks under one name', { install_referrer: `click_id=${one}&click_id=${two}` }, refused('ambiguous')],
  ])('%s', (_name, asked, reading) => expect(read(asked)).toEqual(reading));

  it('is believed for 90 days', () => {
    const refusalAt = (occurredAtMs: number) => read({ token: clickOf(1, { occurredAtMs }) });
    expect(refusalAt(nowMs - 90 * DAY_MS)).toMatchObject({ refusal: null });
    expect(refusalAt(nowMs - 90 * DAY_MS - 1)).toMatchObject({ refusal: 'too_old' });
  });

  const clickedS = (nowMs - 60_000) / 1_000;
  it.each<[string, Partial<DeepLinkAsked>, string | null]>([
    ['in order', { referrer_click_timestamp_seconds: 100, install_begin_timestamp_seconds: 130 }, null],
    ['in one second', { referrer_click_timestamp_seconds: 100, install_begin_timestamp_seconds: 100 }, null],
    ['a click after the install began', { referrer_click_timestamp_seconds: 131, install_begin_timestamp_seconds: 130 }, 'click_injection'],
    [
      'the same by the store’s clock',
      { referrer_click_timestamp_server_seconds: clickedS + 1, install_begin_timestamp_server_seconds: clickedS },
      'click_injection',
    ],
    ['our own click after it', { install_begin_timestamp_server_seconds: clickedS - 61 }, 'click_injection'],
    ['our own click within the clocks’ difference', { install_begin_timestamp_server_seconds: clickedS - 60 }, null],
    ['our own click, by the device’s clock', { install_begin_timestamp_seconds: 130 }, null],
    [
      'not told',
      { referrer_click_timestamp_seconds: 100, install_begin_timestamp_seconds: 0, install_begin_timestamp_server_seconds: 0 },
      null,
    ],
  ])('did not come by an install that had begun: %s', (_name, times, refusal) => {
    expect(read({ install_referrer: `click_id=${one}`, ...times })).toEqual(named('install_referrer', refusal));
    expect(read({ token: one, ...times })).toEqual(named('token'));
  });

  it('is never told by anything but a signed id', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.stringMatching(/^[A-Za-z0-9_-]{32}$/),
      fc.constantFrom('click_id=', `click_id=${one.slice(1)}`),
    );
    fc.assert(
      fc.property(text, text, (install_referrer, token) => {
        expect(['no_evidence', 'click_forged']).toContain((read({ install_referrer, token }) as { reason?: string }).reason);
      }),
    );
  });
});

describe('what the app is told', () => {
  const click = { clickId: one, match: 'token' } as const;
  const link = { ...LinkChanged.sample, deepLink: 'acme://products/7', subIds: { sid: 'spring' } };
  const program = { ...ProgramChanged.sample, deepLinkSchemes: ['ACME'] };

  it('is what the link says', () => {
    expect(deepLinkFound(click, { link, program, partnerKey: 'garden-blog' })).toEqual({
      matched: true,
      match: 'token',
      click_id: one,
      program_id: link.programId,
      deep_link: 'acme://products/7',
      partner_key: 'garden-blog',
      sub_ids: { sid: 'spring' },
    });
  });

  it('is the click alone while the link is not known', () => {
    expect(deepLinkFound(click, {})).toEqual({
      matched: true,
      match: 'token',
      click_id: one,
      program_id: null,
      deep_link: null,
      partner_key: null,
      sub_ids: {},
    });
  });

  it.each([
    ['the link was disabled', { link: { ...link, state: 'disabled' as const }, program }],
    ['the link was deleted', { link: { ...link, state: 'deleted' as const }, program }],
    ['the scheme is not the program’s', { link: { ...link, deepLink: 'javascript:alert(1)' }, program }],
    ['the program allows none', { link, program: ProgramChanged.sample }],
    ['the program is not known', { link }],
    ['the link has none', { link: LinkChanged.sample, program }],
  ])('names nothing to open where %s', (_name, known) => expect(deepLinkFound(click, known).deep_link).toBeNull());
});
