// Requests as visitors send them, made before the clock starts: many browsers, many addresses, popular and rare links.
import { randomOf, zipfOf } from './random.mjs';

/** Each has an address of its own. */
const REQUESTS = 65_536;

/** Whole requests as bytes. The same seed and slugs give the same requests. */
export function requestsOf({ slugs, seed = 1 }) {
  const random = randomOf(seed);
  const link = zipfOf(slugs.length, random);
  const agents = userAgents();
  const pick = (list) => list[Math.floor(random() * list.length)];
  return Array.from({ length: REQUESTS }, (_, i) => {
    const lines = [
      `GET /r/${slugs[link()]}${random() < 1 / 3 ? queryOf(random, i) : ''} HTTP/1.1`,
      'Host: go.example',
      `User-Agent: ${pick(agents)}`,
      'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
      'Accept-Encoding: gzip, deflate, br',
      `X-Forwarded-For: ${addressOf(i, random)}`,
    ];
    if (random() < 0.8) lines.push(`Accept-Language: ${pick(LANGUAGES)}`);
    if (random() < 0.5) lines.push(`Referer: ${pick(REFERERS)}`);
    return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  });
}

const LANGUAGES = ['en-US,en;q=0.9', 'de-DE,de;q=0.9,en;q=0.7', 'fr-FR,fr;q=0.8', 'pl', 'es-419,es;q=0.9', 'ja', 'pt-BR,pt;q=0.9,en;q=0.5'];
const REFERERS = [
  'https://blog.example/2026/spring-garden',
  'https://www.google.com/',
  'https://t.co/abc',
  'https://news.example/a?id=7',
  'https://forum.example/',
];

function queryOf(random, i) {
  const query = [`sub1=visitor-${i}`];
  if (random() < 0.5) query.push(`sub2=${Math.floor(random() * 1_000)}`);
  if (random() < 0.5) query.push('utm_source=newsletter&utm_campaign=Spring%20Sale');
  return `?${query.join('&')}`;
}

/** One in ten is IPv6. Counting in a large odd step visits every second network once before it comes again, so no two are alike. */
function addressOf(i, random) {
  const host = 1 + Math.floor(random() * 254);
  if (i % 10 === 0) return `2a0${i % 8}:${(i & 0xffff).toString(16)}:${host.toString(16)}::${host.toString(16)}`;
  const spread = Math.imul(i, 40_503) & 0xffff;
  return `${PUBLIC_FIRST[i % PUBLIC_FIRST.length]}.${spread >> 8}.${spread & 0xff}.${host}`;
}

/** First bytes of networks that are in use all over the world. */
const PUBLIC_FIRST = [
  2, 5, 8, 12, 24, 31, 37, 41, 46, 49, 62, 66, 71, 77, 81, 84, 87, 90, 95, 103, 109, 113, 121, 139, 151, 177, 186, 189, 200, 212, 217,
];

/** More than 300, as browsers name themselves. */
export function userAgents() {
  const versions = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const webkit = (system, rest) => `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) ${rest}`;
  const chrome = versions(109, 142).flatMap((v) => [
    webkit('Windows NT 10.0; Win64; x64', `Chrome/${v}.0.0.0 Safari/537.36`),
    webkit('Macintosh; Intel Mac OS X 10_15_7', `Chrome/${v}.0.0.0 Safari/537.36`),
    webkit('X11; Linux x86_64', `Chrome/${v}.0.0.0 Safari/537.36`),
    webkit('Linux; Android 10; K', `Chrome/${v}.0.0.0 Mobile Safari/537.36`),
    webkit('Windows NT 10.0; Win64; x64', `Chrome/${v}.0.0.0 Safari/537.36 Edg/${v}.0.0.0`),
  ]);
  const firefox = versions(115, 144).flatMap((v) =>
    ['Windows NT 10.0; Win64; x64', 'Macintosh; Intel Mac OS X 10.15', 'X11; Ubuntu; Linux x86_64', 'Android 14; Mobile'].map(
      (system) => `Mozilla/5.0 (${system}; rv:${v}.0) Gecko/${system.startsWith('Android') ? `${v}.0` : '20100101'} Firefox/${v}.0`,
    ),
  );
  const safari = ['15_6', '16_3', '16_6', '17_1', '17_4', '17_6', '18_0', '18_3', '18_5'].flatMap((v) =>
    ['iPhone; CPU iPhone OS', 'iPad; CPU OS'].map(
      (device) =>
        `Mozilla/5.0 (${device} ${v} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/${v.replace('_', '.')} Mobile/15E148 Safari/604.1`,
    ),
  );
  const samsung = versions(20, 28).flatMap((v) =>
    ['SM-S911B', 'SM-A546B', 'SM-X810'].map((model) =>
      webkit(
        `Linux; Android 14; ${model}`,
        `SamsungBrowser/${v}.0 Chrome/${v + 97}.0.0.0 ${model === 'SM-X810' ? '' : 'Mobile '}Safari/537.36`,
      ),
    ),
  );
  return [...chrome, ...firefox, ...safari, ...samsung];
}
