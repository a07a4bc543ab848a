import { createReadStream } from 'node:fs';
import { type ClientRequest, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { createInterface } from 'node:readline';
import type { Told } from './link-counts';

export interface LinkUpload {
  readonly url: URL;
  readonly key: string;
  readonly tenant: string | undefined;
  readonly contentType: string;
  readonly idempotencyKey: string;
  readonly dryRun: boolean;
  readonly file: string;
  /** Rows before it are passed over. */
  readonly firstRow: number;
  readonly listen: (told: Told) => void;
  /** Bytes handed to the connection so far. */
  readonly sent: (bytes: number) => void;
}

export type UploadEnd =
  | { readonly kind: 'done' }
  /** The same request would be refused again. */
  | { readonly kind: 'refused'; readonly why: string }
  | { readonly kind: 'broken'; readonly why: string };

const IDLE_MAX_MS = 120_000;

/** One connection: sends the file and listens at the same time, or control-plane would wait for its answer to be read. Never throws. */
export async function uploadLinks(upload: LinkUpload): Promise<UploadEnd> {
  const file = createReadStream(upload.file);
  const request = requestOf(upload);
  try {
    let bytes = 0;
    file.on('data', (chunk) => upload.sent((bytes += chunk.length)));
    file.pipe(request);
    const answer = await answerTo(request, file);
    if (answer.statusCode !== 200) return await refusalOf(answer);
    return await linesOf(answer, upload.listen);
  } catch (error) {
    return { kind: 'broken', why: `the connection broke (${error instanceof Error ? error.message : String(error)})` };
  } finally {
    file.destroy();
    request.destroy();
  }
}

function requestOf({ url, key, tenant, contentType, idempotencyKey, dryRun, firstRow }: LinkUpload): ClientRequest {
  const target = new URL(url);
  target.searchParams.set('verdicts', 'rejected');
  target.searchParams.set('resume_from', String(firstRow));
  if (dryRun) target.searchParams.set('dry_run', 'true');
  const request = (target.protocol === 'https:' ? requestHttps : requestHttp)(target, {
    method: 'POST',
    headers: {
      Authorization: `Bearer ${key}`,
      'Content-Type': contentType,
      'Idempotency-Key': idempotencyKey,
      ...(tenant === undefined ? {} : { 'Baton-Tenant': tenant }),
    },
  });
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

async function linesOf(answer: IncomingMessage, listen: (told: Told) => void): Promise<UploadEnd> {
  let last: Told | null = null;
  for await (const line of createInterface({ input: answer, crlfDelay: Infinity })) {
    if (line === '') continue;
    last = JSON.parse(line) as Told;
    listen(last);
  }
  if (last === null || !('done' in last)) return { kind: 'broken', why: 'the connection broke before the end' };
  if (last.done) return { kind: 'done' };
  return last.code === 'unavailable'
    ? { kind: 'broken', why: 'control-plane cannot go on just now (unavailable)' }
    : { kind: 'refused', why: `control-plane failed at row ${last.resume_from} (${last.code})` };
}

async function refusalOf(answer: IncomingMessage): Promise<UploadEnd> {
  let text = '';
  for await (const chunk of answer) text += String(chunk);
  const status = answer.statusCode ?? 0;
  const why = `control-plane refused the upload: ${status} ${detailOf(text)}`;
  return status === 429 || status >= 500 ? { kind: 'broken', why } : { kind: 'refused', why };
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
