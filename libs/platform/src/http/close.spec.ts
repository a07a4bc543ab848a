import { Agent, get } from 'node:http';
import { createLog } from '../run/log';
import { closeHttp, createHttp, type Http } from './http';

/** A kept connection of a client who never lets go. */
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

const ask = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, { agent }, (answer) => {
      let text = '';
      answer.on('data', (chunk) => (text += String(chunk)));
      answer.on('end', () => resolve(text));
    }).on('error', reject);
  });

describe.each([false, true])('a server that closes (with routes before the framework: %s)', (isFront) => {
  it('answers what is under way, and does not wait for its connection to be given up by the client', async () => {
    class Module {}
    let answer: (() => void) | undefined;
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    let reply: () => void = () => undefined;
    const replied = new Promise<void>((resolve) => (reply = resolve));
    const slow = async (): Promise<string> => {
      answer?.();
      await replied;
      return 'done';
    };
    const http: Http = await createHttp(
      { module: Module },
      {
        parts: [],
        routes: (made) => void made.getHttpAdapter().getInstance().get('/slow', slow),
        ...(isFront ? { front: (_request, response) => (void slow().then((text) => response.end(text)), true) } : {}),
      },
      createLog('test', 'silent'),
      { stopping: false, started: true },
    );
    await http.listen(0, '127.0.0.1');
    const url = (await http.getUrl()).replace('[::1]', '127.0.0.1');
    const said = ask(`${url}/slow`);
    await asked;
    const closing = closeHttp(http).then(() => 'closed');
    await new Promise((resolve) => setTimeout(resolve, 50));
    reply();
    expect(await said).toBe('done');
    const late = new Promise((resolve) => setTimeout(() => resolve('still open'), 2_000).unref());
    const outcome = await Promise.race([closing, late]);
    agent.destroy();
    await closing;
    expect(outcome).toBe('closed');
  });
});

describe('a service that is stopping', () => {
  it('sends whoever still comes to another connection, before the framework too', async () => {
    class Module {}
    const life = { stopping: false, started: true };
    const http = await createHttp(
      { module: Module },
      { parts: [], front: (request, response) => request.url === '/front' && (response.end('done'), true) },
      createLog('test', 'silent'),
      life,
    );
    await http.listen(0, '127.0.0.1');
    const url = (await http.getUrl()).replace('[::1]', '127.0.0.1');
    const connectionOf = (path: string): Promise<string | undefined> =>
      new Promise((resolve, reject) => {
        const kept = new Agent({ keepAlive: true });
        get(url + path, { agent: kept }, (answer) => {
          answer.resume().on('end', () => {
            kept.destroy();
            resolve(answer.headers.connection);
          });
        }).on('error', reject);
      });
    const before = [await connectionOf('/front'), await connectionOf('/livez')];
    life.stopping = true;
    const after = [await connectionOf('/front'), await connectionOf('/livez')];
    await closeHttp(http);
    expect([before, after]).toEqual([
      ['keep-alive', 'keep-alive'],
      ['close', 'close'],
    ]);
  });
});
