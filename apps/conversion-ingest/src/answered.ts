import { counter, type Http, type Log } from '@baton/platform';

const KIND_OF_ROUTE: Readonly<Record<string, string>> = {
  '/v1/conversions': 'conversion',
  '/v1/reversals': 'reversal',
  '/v1/identities': 'identity',
};

/** Counts every answer by its verdict and reason, and logs it in one line: whatever stopped the request, the headers say it. received = accepted + duplicate + rejected. */
export function countAnswers(http: Http, log: Log): void {
  const requests = counter('baton_ingest_requests_total', 'Requests answered, by kind, verdict and reason', ['kind', 'verdict', 'reason']);
  http
    .getHttpAdapter()
    .getInstance()
    .addHook('onResponse', (request, reply, done) => {
      const kind = request.method === 'POST' ? KIND_OF_ROUTE[request.routeOptions.url ?? ''] : undefined;
      if (kind !== undefined) {
        const [verdict, reason, receipt] = ['baton-verdict', 'baton-reason', 'baton-receipt'].map((name) =>
          reply.getHeader(name)?.toString(),
        );
        requests.inc({ kind, verdict: verdict ?? 'rejected', reason: reason ?? 'internal' });
        const line = {
          kind,
          verdict,
          reason,
          receipt,
          tenantId: (request as { caller?: { tenantId: string } }).caller?.tenantId,
          requestId: request.id,
        };
        if (verdict === 'rejected') log.info(line, 'answered');
        else log.debug(line, 'answered');
      }
      done();
    });
}
