// A small client of the platform's own HTTP, for the journey, the tests and the chaos runs.
import { randomUUID } from 'node:crypto';
import { Trouble } from './progress.mjs';

/** Sends JSON and gives status, headers and body; a dead connection gives `{ status: 0 }`: it may or may not have arrived. */
export async function call(url, { method = 'GET', body, headers = {}, timeoutMs = 10_000 } = {}) {
  try {
    const answer = await fetch(url, {
      method,
      redirect: 'manual',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      headers: answer.headers,
      body: /json/.test(answer.headers.get('content-type') ?? '') ? JSON.parse(text) : text,
    };
  } catch (error) {
    return { status: 0, headers: new Headers(), body: null, error: error.cause?.message ?? error.message };
  }
}

/** The same, where anything but the expected status ends the run with what was answered. */
export async function must(url, options = {}, expected = [200, 201]) {
  const answer = await call(url, options);
  if (!expected.includes(answer.status))
    throw new Trouble(
      `${options.method ?? 'GET'} ${url} answered ${answer.status || `nothing (${answer.error})`}: ${JSON.stringify(answer.body)}`,
    );
  return answer;
}

/** The operator's way into control-plane, for one tenant. */
export const operator = (urls, adminKey, tenantId) => ({
  post: async (path, body) =>
    (
      await must(`${urls['control-plane']}${path}`, {
        method: 'POST',
        body,
        headers: { authorization: `Bearer ${adminKey}`, ...(tenantId ? { 'baton-tenant': tenantId } : {}) },
      })
    ).body,
  get: async (path) =>
    (
      await must(`${urls['control-plane']}${path}`, {
        headers: { authorization: `Bearer ${adminKey}`, ...(tenantId ? { 'baton-tenant': tenantId } : {}) },
      })
    ).body,
});

/**
 * The same while control-plane is being killed: every creation brings its own id, so that a repeat after a lost answer is the same creation.
 * An API key is shown once: where that answer was lost, another key is made.
 */
export const steadyOperator = (urls, adminKey, tenantId) => ({
  async post(path, body) {
    for (let id = randomUUID(), tries = 0; ; tries++) {
      const answer = await call(`${urls['control-plane']}${path}`, {
        method: 'POST',
        body: { id, ...body },
        headers: { authorization: `Bearer ${adminKey}`, ...(tenantId ? { 'baton-tenant': tenantId } : {}) },
      });
      const isShown = path !== '/v1/api-keys' || answer.body?.key;
      if ((answer.status === 200 || answer.status === 201) && isShown) return answer.body;
      if (answer.status === 200) id = randomUUID();
      else if ((answer.status !== 0 && answer.status < 500) || tries > 100)
        throw new Trouble(`POST ${path} answered ${answer.status || `nothing (${answer.error})`}: ${JSON.stringify(answer.body)}`);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  },
});

/** Waits until a check gives something other than undefined, null or false. */
export async function waitFor(what, check, deadlineMs = 30_000, everyMs = 50) {
  const end = Date.now() + deadlineMs;
  let last;
  do {
    try {
      const result = await check();
      if (result) return result;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  } while (Date.now() < end);
  throw new Trouble(`${what}: not so within ${deadlineMs / 1000} s${last ? ` (${last.message})` : ''}`);
}
