/** Where a visitor lands: the link builder shows it and the redirect does it, and both are held to these. `{click_id}` stands for the click id. */
export interface LandingCase {
  readonly href: string;
  readonly utm: Readonly<Record<string, string>>;
  readonly landingParam: string;
  readonly lands: string;
}

const UTM = { utm_source: 'garden', utm_medium: 'referral' };
const OURS = 'utm_source=garden&utm_medium=referral';
const of = (href: string, lands: string, landingParam = 'click_id', utm: Readonly<Record<string, string>> = UTM): LandingCase => ({
  href: `https://shop.example${href}`,
  utm,
  landingParam,
  lands: `https://shop.example${lands}`,
});

export const LANDING_CASES: readonly LandingCase[] = [
  of('/', `/?${OURS}&click_id={click_id}`),
  of('/?', `/?${OURS}&click_id={click_id}`),
  of('/', '/?click_id={click_id}', 'click_id', {}),
  of('/#top', `/?${OURS}&click_id={click_id}#top`),
  of('/#a?b=1', `/?${OURS}&click_id={click_id}#a?b=1`),
  of('/p?a=1+2&b=%zz;c#top', `/p?a=1+2&b=%zz;c&${OURS}&click_id={click_id}#top`),
  of('/?a=1&&b=2', `/?a=1&&b=2&${OURS}&click_id={click_id}`),
  of('/?a', `/?a&${OURS}&click_id={click_id}`),
  of('/?=1', `/?=1&${OURS}&click_id={click_id}`),
  of('/??a=1', `/??a=1&${OURS}&click_id={click_id}`),
  of('/?utm_source=x&a=1&utm%5Fmedium=y', `/?a=1&${OURS}&click_id={click_id}`),
  of('/?utm_source=x&utm_source=y', `/?${OURS}&click_id={click_id}`),
  of('/?utm_campaign=kept', `/?utm_campaign=kept&${OURS}&click_id={click_id}`),
  of('/?click_id=x&a=1', `/?a=1&${OURS}&click_id={click_id}`),
  of('/?click%5Fid=x', `/?${OURS}&click_id={click_id}`),
  of('/?click_id={click_id}&a=1', `/?click_id={click_id}&a=1&${OURS}`),
  of('/?a=1&click_id=%7Bclick_id%7D', `/?a=1&click_id={click_id}&${OURS}`),
  of('/?click_id={click_id}&click_id={click_id}', `/?click_id={click_id}&${OURS}`),
  of('/', `/?${OURS}&ps_xid={click_id}`, 'ps_xid'),
  of('/?click_id=theirs', `/?click_id=theirs&${OURS}&dub_id={click_id}`, 'dub_id'),
  of('/?irclickid={irclickid}', `/?irclickid={click_id}&${OURS}`, 'irclickid'),
  of('/', '/?utm_medium=referral&utm_source={click_id}', 'utm_source'),
  of('/?a=%D0%B0&b=ä', `/?a=%D0%B0&b=ä&${OURS}&click_id={click_id}`),
  of('/', '/?utm_source=a+b%26c&click_id={click_id}', 'click_id', { utm_source: 'a b&c' }),
  of('/?sig=AbC%2Bd%2F&expires=1', `/?sig=AbC%2Bd%2F&expires=1&${OURS}&click_id={click_id}`),
];
