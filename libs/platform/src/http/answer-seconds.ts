import type { Histogram } from 'prom-client';
import { histogram } from '../run/metrics';

/** Of the framework's routes and of those before it. */
export const answerSeconds = (): Histogram =>
  histogram('baton_http_request_seconds', 'Time to answer, by route and status', ['method', 'route', 'status']);
