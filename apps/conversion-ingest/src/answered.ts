import type { ReasonCode } from '@baton/contracts';
import { counter, type Http, type Log } from '@baton/platform';
import { reasonOf, type Told } from './intake';

export interface FactRequest {
  readonly id: string;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly caller?: { readonly tenantId: string };
  /** What became of the facts that it brought. */
  told?: readonly Told[];
  /** Of a request that tells of its facts while it lasts: how many were counted so far. */
  counted?: number;
}
export interface Reply {
  code(status: number): Reply;
  header(name: string, value: string): Reply;
}

/** The routes that take facts, with the name of their door. Filled by whoever mounts them, before the first request. */
export type FactRoutes = Map<string, string>;
export const OWN_DOOR = 'api';
export const ownRoutes = (): FactRoutes =>
  new Map(
    ['conversions', 'conversions/batch', 'conversions::bulk', 'reversals', 'identities', 'verifications'].map((name) => [
      `POST /v1/${name}`,
      OWN_DOOR,
    ]),
  );

/** Says in the headers what became of a request's facts: of one, its receipt; of several, the verdict that they share, else `mixed`. */
export function tell(request: FactRequest, reply: Reply, told: readonly Told[]): void {
  request.told = told;
  const [first] = told;
  if (!first) return void reply.header('Baton-Verdict', 'ignored').header('Baton-Reason', 'ignored');
  const shared = <T>(of: (one: Told) => T): T | 'mixed' => (told.every((one) => of(one) === of(first)) ? of(first) : 'mixed');
  reply.header(
    'Baton-Verdict',
    shared(({ kind }) => kind),
  );
  reply.header('Baton-Reason', shared(reasonOf));
  if (told.length === 1 && first.receiptId && first.kind !== 'validated') reply.header('Baton-Receipt', first.receiptId);
  const dropped =
    told.length === 1 && first.kind !== 'rejected' ? ((first.answer['dropped_evidence'] as readonly string[] | undefined) ?? []) : [];
  if (dropped.length > 0) reply.header('Baton-Dropped-Evidence', dropped.join(', '));
  if (told.every(({ kind }) => kind === 'duplicate')) reply.header('Baton-Replayed', 'true');
}

const received = () => counter('baton_ingest_received_total', 'Facts received, by door', ['door']);
const answered = () => counter('baton_ingest_answered_total', 'Facts answered, by door, verdict and reason', ['door', 'verdict', 'reason']);

/** Of a request with too many facts to keep until its end: counts those that were answered now. */
export function countOn(request: FactRequest, told: readonly Told[], door: string): void {
  // The request itself was counted as the first of them.
  const known = request.counted === 0 ? 1 : 0;
  request.counted = (request.counted ?? 0) + told.length;
  if (told.length === 0) return;
  if (told.length > known) received().inc({ door }, told.length - known);
  for (const one of told) answered().inc({ door, verdict: one.kind, reason: reasonOf(one) });
}

/** Such a request has ended: without any fact it is answered as one that brought none. */
export function countEnd(request: FactRequest, door: string): void {
  if (request.counted !== 0) return;
  // Facts that were under way when its sender went are counted beside it.
  request.counted = 1;
  answered().inc({ door, verdict: 'ignored', reason: 'ignored' });
}

/** A request for a door has come. */
export const countReceived = (door: string): void => received().inc({ door });

interface Answering {
  readonly door: string;
  readonly status: number;
  /** As the headers say it. */
  readonly reason: string | undefined;
}

/** Refused unlooked at, by the thousand where there are too many: a line of each would fill disks. */
const UNLOOKED: ReadonlySet<string> = new Set(['over_quota', 'unavailable'] satisfies ReasonCode[]);

/** It is answered: counts every fact that it brought by verdict and reason, and logs every refusal in one line. */
export function countAnswered(log: Log, request: FactRequest, { door, status, reason = 'internal' }: Answering): void {
  const { told, caller, counted } = request;
  // It is answered while it lasts: `countOn`, `countEnd`.
  if (counted !== undefined) return;
  const facts = told?.map((one) => ({ verdict: one.kind, reason: reasonOf(one) as string, receipt: one.receiptId }));
  const none = told && status < 400 ? 'ignored' : 'rejected';
  const all = facts?.length ? facts : [{ verdict: none, reason: none === 'ignored' ? none : reason, receipt: null }];
  if (all.length > 1) received().inc({ door }, all.length - 1);
  for (const one of all) {
    answered().inc({ door, verdict: one.verdict, reason: one.reason });
    const level = one.verdict === 'rejected' && !UNLOOKED.has(one.reason) ? 'info' : 'debug';
    if (log.isLevelEnabled(level)) log[level]({ door, ...one, tenantId: caller?.tenantId, requestId: request.id }, 'answered');
  }
}

/**
 * Counts every fact when it is received and when it is answered, by door, verdict and reason; a request that was stopped before any fact was read
 * counts as one: received = accepted + duplicate + rejected (+ validated, ignored), always.
 */
export function countAnswers(http: Http, log: Log, routes: FactRoutes): void {
  // From the start, so that nothing counted yet reads as none.
  for (const made of [received, answered]) made();
  http
    .getHttpAdapter()
    .getInstance()
    .addHook('onRequest', (request, _reply, done) => {
      const door = routes.get(`${request.method} ${request.routeOptions.url ?? ''}`);
      if (door !== undefined) countReceived(door);
      done();
    })
    // As it is sent, not when it has left: who does not wait for his answer is answered all the same.
    .addHook('onSend', (request, reply, _body, done) => {
      const door = routes.get(`${request.method} ${request.routeOptions.url ?? ''}`);
      if (door !== undefined)
        countAnswered(log, request as unknown as FactRequest, {
          door,
          status: reply.statusCode,
          reason: reply.getHeader('baton-reason')?.toString(),
        });
      done();
    });
}
