import { collectDefaultMetrics, Counter, Gauge, Histogram, register } from 'prom-client';

/** One registry a process; asking for a name again gives the same metric, so that two consumers of one process share it. */
export const counter = (name: string, help: string, labelNames: string[] = [], collect?: (this: Counter) => void): Counter =>
  (register.getSingleMetric(name) as Counter | undefined) ?? new Counter({ name, help, labelNames, ...(collect ? { collect } : {}) });
export const gauge = (name: string, help: string, labelNames: string[] = [], collect?: (this: Gauge) => void | Promise<void>): Gauge =>
  (register.getSingleMetric(name) as Gauge | undefined) ?? new Gauge({ name, help, labelNames, ...(collect ? { collect } : {}) });
export const histogram = (
  name: string,
  help: string,
  labelNames: string[] = [],
  buckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10],
): Histogram => (register.getSingleMetric(name) as Histogram | undefined) ?? new Histogram({ name, help, labelNames, buckets });

export function startMetrics(service: string): void {
  register.setDefaultLabels({ service });
  collectDefaultMetrics();
}

/** Metrics of another thread, by names that this one does not use. */
export function addMetricsSource(source: () => Promise<string>): void {
  sources.push(source);
}
const sources: (() => Promise<string>)[] = [];

export const metricsText = async (): Promise<string> =>
  [await register.metrics(), ...(await Promise.all(sources.map((source) => source())))].join('\n');
export const metricsContentType = register.contentType;
