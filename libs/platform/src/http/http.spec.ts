import { Body, Controller, Get, Post } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import { createLog } from '../run/log';
import { InfrastructureError } from '../ports';
import { request } from 'node:http';
import { closeHttp, createHttp, type Http, TakesBody, takesTime } from './http';

class OrderBody {
  @IsString() name!: string;
  @IsInt() count!: number;
}

@Controller('v1')
class OrderController {
  @Post('orders') create(@Body() body: OrderBody): object {
    return { ok: body.name };
  }
  @TakesBody(200 * 1024) @Post('orders/many') many(@Body() body: object): object {
    return { keys: Object.keys(body).length };
  }
  @Get('down') down(): never {
    throw new InfrastructureError('postgres', 'connection', new Error('refused'));
  }
  @Get('bug') bug(): never {
    throw new TypeError('secret detail');
  }
}

describe('a request that takes long', () => {
  let http: Http;
  let url: string;
  beforeAll(async () => {
    class Module {}
    const uploads = (made: Http): void => {
      const fastify = made.getHttpAdapter().getInstance();
      void fastify.register((scope, _options, done) => {
        scope.addContentTypeParser('text/csv', (_request, payload, parsed) => parsed(null, payload));
        scope.post<{ Querystring: { idle_ms?: string } }>('/upload', async (asked) => {
          const { idle_ms: idleMs } = asked.query;
          if (idleMs) takesTime(asked.raw.socket, Number(idleMs));
          let bytes = 0;
          for await (const chunk of asked.body as AsyncIterable<Buffer>) bytes += chunk.length;
          return { bytes };
        });
        done();
      });
    };
    http = await createHttp({ module: Module }, { parts: [], routes: uploads }, createLog('test', 'silent'), {
      stopping: false,
      started: true,
    });
    // Its own deadline is half a minute, looked at every half minute.
    Object.assign(http.getHttpServer(), { headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 50 });
    await http.listen(0, '127.0.0.1');
    url = (await http.getUrl()).replace('[::1]', '127.0.0.1');
  });
  afterAll(() => closeHttp(http));

  /** Sends a byte every 100 ms, `count` times. */
  const trickle = (query: string, count: number): Promise<string> =>
    new Promise((resolve) => {
      const sending = request(`${url}/upload${query}`, { method: 'POST', headers: { 'content-type': 'text/csv' } }, (answer) => {
        let text = '';
        answer.on('data', (chunk) => (text += String(chunk)));
        answer.on('end', () => resolve(`${answer.statusCode} ${text}`));
      });
      sending.on('error', () => resolve('broken'));
      sending.flushHeaders();
      let sent = 0;
      const timer = setInterval(() => {
        if (sent++ < count) return void sending.write('x');
        clearInterval(timer);
        if (query !== '?idle_ms=301') sending.end();
      }, 100);
    });

  it('is ended by the deadline, unless its route takes time', async () => {
    expect(await trickle('', 10)).not.toMatch(/^200/);
    expect(await trickle('?idle_ms=60000', 10)).toBe('200 {"bytes":10}');
  });

  it('is ended when nothing comes any more', async () => {
    expect(await trickle('?idle_ms=301', 2)).toBe('broken');
  });
});

describe('the HTTP edge', () => {
  let http: Http;
  let url: string;
  const post = (body: string, type = 'application/json') =>
    fetch(`${url}/v1/orders`, { method: 'POST', body, headers: { 'content-type': type } });

  beforeAll(async () => {
    class Module {}
    http = await createHttp(
      { module: Module, controllers: [OrderController] },
      { parts: [{ name: 'part', unready: () => 'not yet' }] },
      createLog('test', 'silent'),
      { stopping: false, started: true },
    );
    await http.listen(0, '127.0.0.1');
    url = (await http.getUrl()).replace('[::1]', '127.0.0.1');
  });
  afterAll(() => closeHttp(http));

  it.each([
    ['not JSON', '{', 400, 'malformed'],
    ['empty', '', 400, 'malformed'],
    ['an array', '[]', 400, 'malformed'],
    ['5,000 nested arrays', '['.repeat(5000) + ']'.repeat(5000), 413, 'too_large'],
    ['__proto__', '{"__proto__":{"a":1},"name":"a","count":1}', 400, 'malformed'],
    ['a constructor deep down', '{"name":"a","count":1,"x":[{"constructor":1}]}', 400, 'malformed'],
    ['over 64 kB', JSON.stringify({ name: 'a'.repeat(70_000), count: 1 }), 413, 'too_large'],
    ['300 keys', JSON.stringify(Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 1]))), 413, 'too_large'],
    ['wrong types', '{"name":1,"count":1.5}', 400, 'malformed'],
    ['an unknown field', '{"name":"a","count":1,"nmae":"b"}', 400, 'malformed'],
  ])('refuses %s with a problem document and a reason code', async (_name, body, status, code) => {
    const answer = await post(body);
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
    expect({ status: answer.status, ...((await answer.json()) as object) }).toMatchObject({
      status,
      code,
      request_id: expect.any(String) as string,
    });
  });

  it('names every problem of a body with its field', async () => {
    const problem = (await (await post('{"name":1,"count":1.5}')).json()) as { errors: { field: string }[] };
    expect(problem.errors.map((e) => e.field)).toEqual(['name', 'count']);
  });

  it('takes a good body', async () => {
    expect((await post('{"name":"a","count":1}')).status).toBe(201);
  });

  it('bounds a body by what its route takes', async () => {
    const keys = (count: number, length: number) =>
      JSON.stringify(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'x'.repeat(length)])));
    const many = async (body: string): Promise<unknown> => {
      const answer = await fetch(`${url}/v1/orders/many`, { method: 'POST', body, headers: { 'content-type': 'application/json' } });
      return [answer.status, await answer.json()];
    };
    expect(await many(keys(6_400, 10))).toEqual([201, { keys: 6_400 }]);
    expect(await many(keys(6_401, 1))).toMatchObject([413, { code: 'too_large' }]);
    expect(await many(keys(1, 205_000))).toMatchObject([413, { code: 'too_large' }]);
  });

  it('answers other media types, unknown routes and broken requests with problem documents', async () => {
    const media = await post('name=a', 'application/x-www-form-urlencoded');
    expect([media.status, ((await media.json()) as { code: string }).code]).toEqual([415, 'unsupported_media_type']);
    const missing = await fetch(`${url}/v1/nothing`);
    expect([missing.status, ((await missing.json()) as { code: string }).code]).toEqual([404, 'not_found']);
  });

  it('says 503 with Retry-After when a store is down, and tells nothing of a bug', async () => {
    const down = await fetch(`${url}/v1/down`);
    expect([down.status, down.headers.get('retry-after')]).toEqual([503, '2']);
    const bug = await fetch(`${url}/v1/bug`);
    expect(bug.status).toBe(500);
    expect(await bug.text()).not.toContain('secret detail');
  });

  it('is live without being ready, and shows metrics', async () => {
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([503, { ready: false, waiting: { part: 'not yet' } }]);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('baton_http_request_seconds_bucket');
  });
});
