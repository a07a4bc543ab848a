import { createReadStream } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import { isEnd, type Told } from './upload-counts';

export interface Upload {
  /** Who takes it, in messages: `control-plane`. */
  readonly service: string;
  /** With what the query says beside the row to begin with. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly file: string;
  /** Rows before it are passed over. */
  readonly firstRow: number;
  /** The next line is read when it is done. */
  readonly listen: (told: Told) => void | Promise<void>;
  /** Bytes handed to the connection so far. */
  readonly sent: (bytes: number) => void;
}

export type UploadEnd =
  | { readonly kind: 'done' }
  /** The same request would be refused again. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'broken'; readonly why: string; /** As the service asked. */ readonly waitMs?: number };

const IDLE_MAX_MS = 120_000;

/** One connection: sends the file and listens at the same time, or the service would wait for its answer to be read. Throws what `listen` does. */
export async function sendUpload(upload: Upload): Promise<UploadEnd> {
  const file = createReadStream(upload.file);
  const request = requestOf(upload);
  try {
    let bytes = 0;
    file.on('data', (chunk) => upload.sent((bytes += chunk.length)));
    file.pipe(request);
    const answer = await answerTo(request, file);
    if (answer.statusCode !== 200) return await refusalOf(answer, upload.service);
    return await linesOf(answer, upload);
  } catch (error) {
    if (error instanceof Deaf) throw error.cause;
    return { kind: 'broken', why: `the connection broke (${error instanceof Error ? error.message : String(error)})` };
  } finally {
    file.destroy();
    request.destroy();
  }
}

/** What the listener threw: no fault of the connection. */
class Deaf extends Error {}

function requestOf({ url, headers, firstRow }: Upload): ClientRequest {
  const target = new URL(url);
  target.searchParams.set('verdicts', 'rejected');
  target.searchParams.set('resume_from', String(firstRow));
  const request = (target.protocol === 'https:' ? requestHttps : requestHttp)(target, { method: 'POST', headers });
  request.setTimeout(IDLE_MAX_MS, () => request.destroy(new Error(`no word for ${IDLE_MAX_MS / 1000} s`)));
  return request;
}

function answerTo(request: ClientRequest, file: NodeJS.ReadableStream): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', (answer) => {
      resolve(answer);
      // What breaks now breaks the answer as well, and is told there.
      request.on('error', () => undefined);
    });
    request.once('error', reject);
    file.once('error', reject);
  });
}

async function linesOf(answer: IncomingMessage, { listen, service }: Upload): Promise<UploadEnd> {
  let last: Told | null = null;
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    if (line === '') continue;
    last = JSON.parse(line) as Told;
    try {
      await listen(last);
    } catch (error) {
      throw new Deaf('', { cause: error });
    }
  }
  if (last === null || !isEnd(last)) return { kind: 'broken', why: 'the connection broke before the end' };
  if (last.done) return { kind: 'done' };
  return last.code === 'unavailable'
    ? { kind: 'broken', why: `${service} cannot go on just now (unavailable)` }
    : { kind: 'refused', why: `${service} failed at row ${last.resume_from} (${last.code})` };
}

async function refusalOf(answer: IncomingMessage, service: string): Promise<UploadEnd> {
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  const status = answer.statusCode ?? 0;
  const why = `${service} refused the upload: ${status} ${detailOf(text)}`;
  if (status !== 429 && status < 500) return { kind: 'refused', why };
  const waitS = Number(answer.headers['retry-after']);
  return { kind: 'broken', why, ...(waitS > 0 ? { waitMs: waitS * 1000 } : {}) };
}

function detailOf(text: string): string {
  try {
    const { detail } = JSON.parse(text) as { detail?: unknown };
    if (typeof detail === 'string') return detail;
  } catch {
    // A proxy in between answers in its own words.
  }
  return text.slice(0, 200);
}
