import { Webhook } from 'standardwebhooks';
import { checkSignature, signatureOf, signingSecretOf } from './api-key-signature';
import type { Problem } from './problem';

/** The example of the Standard Webhooks documentation. */
const VECTOR = {
  secret: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: '1614265330',
  body: Buffer.from('{"test": 2432232314}'),
  signature: 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
};
const SECRET = signingSecretOf('r'.repeat(32), '12121212-1212-4212-8212-121212121212');
const BODY = Buffer.from('{"external_id":"Straße"}');
const nowMs = Date.now();
const now = String(Math.floor(nowMs / 1000));

const headersOf = (id: string, timestamp: string, signature: string) => ({
  'webhook-id': id,
  'webhook-timestamp': timestamp,
  'webhook-signature': signature,
});
const check = (headers: Record<string, string>, { body = BODY, url = '/v1/conversions', atMs = nowMs, secret = SECRET } = {}) =>
  checkSignature(secret, { method: 'POST', url, headers, body }, atMs);
const signed = (id = 'm1', timestamp = now, body = BODY) => headersOf(id, timestamp, signatureOf(SECRET, id, timestamp, body));
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return 'ok';
  } catch (error) {
    return (error as Problem).code;
  }
};

describe('a signed request', () => {
  it('is signed as the published example is', () => {
    const { secret, id, timestamp, body, signature } = VECTOR;
    expect(signatureOf(secret, id, timestamp, body)).toBe(signature);
    expect(codeOf(() => check(headersOf(id, timestamp, signature), { secret, body, atMs: Number(timestamp) * 1000 }))).toBe('ok');
  });

  it('is what the official library signs, and ours is what it verifies', () => {
    const library = new Webhook(SECRET);
    const theirs = library.sign('m1', new Date(nowMs), BODY.toString());
    expect(theirs).toBe(signed()['webhook-signature']);
    expect(codeOf(() => check(headersOf('m1', now, theirs)))).toBe('ok');
    expect(library.verify(BODY.toString(), signed())).toEqual(JSON.parse(BODY.toString()));
  });

  it('may carry several signatures while a secret rotates; one that is right is enough', () => {
    const right = signed()['webhook-signature'];
    for (const text of [`v1,AAAA ${right}`, `${right} v1,AAAA`, `v1a,${'A'.repeat(44)} ${right}`])
      expect(codeOf(() => check(headersOf('m1', now, text)))).toBe('ok');
    const wrong = `v1,${Buffer.alloc(32, 1).toString('base64')}`;
    expect(codeOf(() => check(headersOf('m1', now, `${wrong} v2,${right.slice(3)}`)))).toBe('signature_invalid');
  });

  it('is refused when anything of it was altered, is missing, or is no header of the scheme', () => {
    const right = signed();
    const altered: Record<string, string>[] = [
      { ...right, 'webhook-id': 'm2' },
      { ...right, 'webhook-timestamp': String(Number(now) + 1) },
      { ...right, 'webhook-timestamp': `${now}.5` },
      { ...right, 'webhook-id': '' },
      { ...right, 'webhook-id': 'm 1' },
      { ...right, 'webhook-signature': right['webhook-signature'].slice(3) },
      {},
    ];
    for (const headers of altered) expect([headers, codeOf(() => check(headers))]).toEqual([headers, 'signature_invalid']);
    expect(codeOf(() => check(right, { body: Buffer.from(`${BODY.toString()} `) }))).toBe('signature_invalid');
    expect(codeOf(() => check(right, { secret: signingSecretOf('r'.repeat(32), 'another key') }))).toBe('signature_invalid');
  });

  it('is accepted up to 300 s either way', () => {
    const at = (offsetS: number) => codeOf(() => check(signed('m1', String(Number(now) + offsetS)), { atMs: Number(now) * 1000 }));
    expect([-301, -300, 300, 301].map(at)).toEqual(['signature_expired', 'ok', 'ok', 'signature_expired']);
  });

  it('is another request under another id, body or address, and the same when it is signed anew', () => {
    const first = check(signed());
    expect(check(signed('m1', String(Number(now) - 100)))).toEqual(first);
    expect(check(signed('m2'))).toMatchObject({ bodyHash: first.bodyHash });
    expect(check(signed('m2')).idHash).not.toBe(first.idHash);
    expect(check(signed('m1', now, Buffer.alloc(0)), { body: Buffer.alloc(0) }).bodyHash).not.toBe(first.bodyHash);
    expect(check(signed(), { url: '/v1/reversals' }).bodyHash).not.toBe(first.bodyHash);
  });
});
