import type { MessagePort } from 'node:worker_threads';
import { BoundedProducer, connectKafka, createLog, metricsText, type Part } from '@baton/platform';
import { CatalogFollower } from './catalog/catalog.writer';
import { CountExchange } from './caps/count-exchange';
import { FolderDisk } from './spool/disk';
import { Shipper } from './spool/shipper';
import { SpoolTide } from './spool/tide';
import type { FromWorker, ToWorker, WorkerSetup } from './worker.port';

const STATUS_MS = 500;
/** A chunk at a time is on its way. */
const MESSAGES_WAITING_MAX = 10_000;

/** The composition root of the worker thread: all that speaks with Kafka. */
export function composeWorker({ env, spoolFolder, catalogFolder, replicaId, tide: memory }: WorkerSetup, port: MessagePort) {
  const log = createLog('click-redirect', String(env['LOG_LEVEL']));
  const kafka = connectKafka({
    brokers: String(env['KAFKA_BROKERS']).split(','),
    clientId: 'click-redirect',
    prefix: String(env['TOPIC_PREFIX']),
    log,
    via: env['KAFKA_VIA'] as string | undefined,
    security: env,
  });
  const tell = (message: FromWorker): void => port.postMessage(message);
  const tide = new SpoolTide(memory);
  const producer = new BoundedProducer({ kafka, messagesMax: MESSAGES_WAITING_MAX });
  const shipper = new Shipper({ disk: new FolderDisk(spoolFolder), tide, producer, log });
  const catalog = new CatalogFollower({ kafka, folder: catalogFolder, log, onChange: () => tell({ kind: 'catalog' }) });
  const counts = new CountExchange({
    kafka,
    producer,
    replicaId,
    log,
    now: () => Date.now(),
    onTotals: (totals) => tell({ kind: 'counted', totals }),
  });
  const parts: readonly Part[] = [shipper, catalog, counts];
  const status = (): void => {
    const stalenessMs = catalog.stalenessMs();
    const { shipped, failures, damaged } = shipper.counts;
    const catalogConfirmedMs = Number.isFinite(stalenessMs) ? Date.now() - stalenessMs : null;
    tell({ kind: 'status', status: { catalogConfirmedMs, shipped, shipFailures: failures, damaged } });
  };
  let ticking: NodeJS.Timeout | undefined;
  const stop = async (drainMs: number): Promise<void> => {
    clearInterval(ticking);
    // Side by side: leaving a broker that is away takes as long as the draining may.
    const [drained] = await Promise.all([shipper.drained(drainMs), counts.stop(), catalog.stop()]);
    await shipper.stop();
    await producer.close();
    tell({ kind: 'stopped', drained });
    port.close();
  };
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'wake') shipper.wake();
    else if (message.kind === 'counted') counts.report(message.counts);
    else if (message.kind === 'metrics') void metricsText().then((text) => tell({ kind: 'metrics', id: message.id, text }));
    else void stop(message.drainMs);
  });
  return {
    async start(): Promise<void> {
      for (const part of parts) await part.start?.();
      ticking = setInterval(status, STATUS_MS);
    },
  };
}
