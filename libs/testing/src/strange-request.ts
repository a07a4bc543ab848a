import fc from 'fast-check';
import { Agent, request } from 'node:http';
import { deflateSync, gzipSync } from 'node:zlib';
import { strangeWord } from './strange';

/** A request as bytes: what no client library would send is sent too. */
export interface StrangeRequest {
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** With its question mark, or empty. */
  readonly query: string;
}

export interface StrangeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

const JSON_TYPE = { 'content-type': 'application/json' };
const BOMB_BYTES = 32 * 1024 * 1024;
/** 32 MB of nothing in 32 kB. Made once. */
const bomb = { zipped: undefined as Buffer | undefined };
const zippedBomb = (): Buffer => (bomb.zipped ??= gzipSync(Buffer.alloc(BOMB_BYTES, 0x20)));

/** Requests whose bodies are mostly what is given (a text as it is, anything else as JSON), and sometimes what is no such body at all. */
export function strangeRequests(bodies: fc.Arbitrary<unknown>): fc.Arbitrary<StrangeRequest> {
  const text = bodies.map((body) => (typeof body === 'string' ? body : (JSON.stringify(body) ?? '')));
  const plain = (arbitrary: fc.Arbitrary<string | Buffer>): fc.Arbitrary<StrangeRequest> =>
    arbitrary.map((body) => ({ body: Buffer.from(body as string), headers: JSON_TYPE, query: '' }));
  return fc.oneof(
    { weight: 60, arbitrary: plain(text) },
    { weight: 10, arbitrary: plain(text.chain(broken)) },
    {
      weight: 4,
      arbitrary: plain(
        fc.oneof(
          fc.json(),
          fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
        ),
      ),
    },
    { weight: 3, arbitrary: plain(fc.constantFrom(...MONSTERS)) },
    {
      weight: 8,
      arbitrary: fc.tuple(text, types).map(([body, type]) => ({ body: Buffer.from(body), headers: { 'content-type': type }, query: '' })),
    },
    { weight: 6, arbitrary: packed(text) },
    {
      weight: 9,
      arbitrary: fc
        .tuple(text, extras, queries)
        .map(([body, more, query]) => ({ body: Buffer.from(body), headers: { ...JSON_TYPE, ...more }, query })),
    },
  );
}

const types = fc.constantFrom(
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/json; charset=utf-16',
  'application/json;',
  'application/xml',
  'application/problem+json',
  'APPLICATION/JSON',
  'json',
);
const visible = fc.string({
  unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 300,
});
const extras = fc.oneof(
  visible.map((key): Record<string, string> => ({ 'idempotency-key': key })),
  fc.constant({ traceparent: '00-0-0-00' }),
  visible.map((id): Record<string, string> => ({ 'x-request-id': id })),
);
const queries = fc.oneof(
  fc.constantFrom('?validate_only=true', '?validate_only=maybe', '?validate_only=1&validate_only=0', '?__proto__=1', '?%', '?a[b]=1', ''),
  strangeWord.map((word) => `?${encodeURIComponent(Buffer.from(word).toString())}=1`),
);

/** Text that was JSON before something happened to it on its way. */
const broken = (json: string): fc.Arbitrary<string | Buffer> =>
  fc.oneof(
    fc.nat(json.length).map((at) => json.slice(0, at)),
    fc
      .nat(json.length)
      .map((at) => Buffer.concat([Buffer.from(json.slice(0, at)), Buffer.from([0xff, 0xc0, 0x80]), Buffer.from(json.slice(at))])),
    fc.constantFrom(
      ...['1e400', '-1e400', '123456789012345678901234567890', '"\\ud800"', '"\\u0000"', '[[[[]]]]', '{"__proto__":1}', 'NaN', '01'].map(
        (value) => json.replace(/:\s*(?:"[^"]*"|-?\d[\d.e+-]*|null)/, `:${value}`),
      ),
      json.replace(/^\{/, '{"__proto__":{"admin":true},'),
      json.replace(/^\{/, '{"constructor":{"prototype":{"admin":true}},'),
      json.replace(/^\{(.*)\}$/s, '{$1,$1}'),
      `\ufeff${json}`,
      `${json}${json}`,
      `${json}\u0000`,
    ),
  );

/** The same few, each time: deep, long, many. */
const MONSTERS = [
  '',
  '[]',
  'null',
  '"text"',
  '['.repeat(30_000) + ']'.repeat(30_000),
  '{"a":'.repeat(5_000) + '1' + '}'.repeat(5_000),
  '{"a":'.repeat(31) + '1' + '}'.repeat(31),
  JSON.stringify(Object.fromEntries(Array.from({ length: 400 }, (_, i) => [`k${i}`, i]))),
  `{"external_id":"${'x'.repeat(70_000)}"}`,
  `{"external_id":"o","metadata":{${Array.from({ length: 60 }, (_, i) => `"k${i}":"v"`).join()}}}`,
  `{"external_id":${'9'.repeat(10_000)}}`,
];

const packed = (text: fc.Arbitrary<string>): fc.Arbitrary<StrangeRequest> =>
  fc.tuple(text, fc.constantFrom('gzip', 'deflate', 'br', 'zstd', 'gzip, gzip', 'a lie', 'a bomb')).map(([json, how]) => {
    const body =
      how === 'a bomb' ? zippedBomb() : how === 'deflate' ? deflateSync(json) : how.startsWith('gzip') ? gzipSync(json) : Buffer.from(json);
    const encoding = how === 'a lie' || how === 'a bomb' ? 'gzip' : how;
    return { body, headers: { ...JSON_TYPE, 'content-encoding': encoding }, query: '' };
  });

/** Sends it as it is. A connection that breaks is status 0. */
export function sendStrange(agent: Agent, method: string, url: string, { body, headers, query }: StrangeRequest): Promise<StrangeAnswer> {
  return new Promise((resolve) => {
    const asked = request(`${url}${query}`, { method, agent, headers: { ...headers, 'content-length': body.length } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers as Record<string, string | undefined>,
          text: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    asked.on('error', (error) => resolve({ status: 0, headers: {}, text: error.message }));
    asked.end(body);
  });
}

/** Sends them, `width` at once, and gives the answers in order. */
export async function sendAll<T>(items: readonly T[], width: number, send: (item: T) => Promise<StrangeAnswer>): Promise<StrangeAnswer[]> {
  const answers: StrangeAnswer[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) answers[i] = await send(items[i] as T);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return answers;
}
