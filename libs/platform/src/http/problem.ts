import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import { InvalidEvent, REASON_CODES, type ReasonCode } from '@baton/contracts';
import { InfrastructureError } from '../ports';
import { counter } from '../run/metrics';
import type { Log } from '../run/log';

export interface FieldProblem {
  /** Path in the body, such as `line_items[2].quantity`. */
  readonly field: string;
  readonly problem: string;
}

/** An answer that is not a success: RFC 9457, with a reason code from the closed list. */
export class Problem extends Error {
  override readonly name = 'Problem';
  constructor(
    readonly code: ReasonCode,
    readonly detail: string = REASON_CODES[code].help,
    readonly more: {
      readonly errors?: readonly FieldProblem[];
      readonly headers?: Record<string, string>;
      readonly status?: number;
      readonly extra?: Record<string, unknown>;
    } = {},
  ) {
    super(`${code}: ${detail}`);
  }
  get status(): number {
    return this.more.status ?? REASON_CODES[this.code].status;
  }
}

interface Reply {
  readonly sent: boolean;
  code(status: number): Reply;
  header(name: string, value: string): Reply;
  send(body: unknown): unknown;
}

/** The one place where an error becomes an answer, the framework's own errors too. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const reply = host.switchToHttp().getResponse<Reply>();
    const request = host.switchToHttp().getRequest<{ id?: string; method?: string }>();
    const { status, headers, body } = answerOfProblem(this.log, error, request);
    if (reply.sent) return;
    for (const [name, value] of Object.entries(headers)) void reply.header(name, value);
    void reply.code(status).send(body);
  }
}

/** What a failed request is told; counted, and logged where it is our fault. */
export function answerOfProblem(
  log: Log,
  error: unknown,
  { id, method }: { readonly id?: string; readonly method?: string },
): { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: object } {
  const problem = problemOf(error);
  counter('baton_http_problems_total', 'Answers that were problems, by reason code', ['code']).inc({ code: problem.code });
  if (problem.status >= 500 && problem.code !== 'unavailable') log.error({ err: error, requestId: id, method }, 'request failed');
  const headers = {
    ...problem.more.headers,
    'Baton-Verdict': 'rejected',
    'Baton-Reason': problem.code,
    'Content-Type': 'application/problem+json; charset=utf-8',
  };
  return { status: problem.status, headers, body: problemBody(problem, id) };
}

export function problemBody(problem: Problem, requestId?: string): Record<string, unknown> {
  return {
    type: `urn:baton:problem:${problem.code}`,
    title: REASON_CODES[problem.code].help,
    status: problem.status,
    detail: problem.detail,
    code: problem.code,
    ...(problem.more.errors ? { errors: problem.more.errors } : {}),
    ...problem.more.extra,
    ...(requestId ? { request_id: requestId } : {}),
  };
}

export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof InfrastructureError)
    return new Problem('unavailable', 'A store that this request needs cannot be reached. Nothing was stored; try again.', {
      headers: { 'Retry-After': '2' },
    });
  if (error instanceof InvalidEvent) return new Problem('malformed', error.message);
  const status = error instanceof HttpException ? error.getStatus() : Number((error as { statusCode?: unknown } | null)?.statusCode ?? 500);
  const detail = error instanceof Error ? error.message : undefined;
  if (status === 413) return new Problem('too_large', detail);
  if (status === 415) return new Problem('unsupported_media_type', detail);
  if (status === 404) return new Problem('not_found', detail);
  if (status === 401) return new Problem('unauthorised', detail);
  if (status === 403) return new Problem('scope_missing', detail);
  if (status === 503) return new Problem('unavailable', detail, { headers: { 'Retry-After': '2' } });
  if (status >= 400 && status < 500) return new Problem('malformed', detail, { status });
  // What went wrong inside is for the log, not for the caller.
  return new Problem('internal');
}
