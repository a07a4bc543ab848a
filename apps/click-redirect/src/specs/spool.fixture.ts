import { createLog, type OutgoingMessage, type Producer } from '@baton/platform';
import { eventually } from '@baton/testing';
import type { SpoolDisk } from '../spool/disk';
import type { RecordOf } from '../spool/record';
import { Shipper } from '../spool/shipper';
import type { Shed } from '../spool/batch';
import { Spool, type SpoolOptions } from '../spool/spool';
import { SpoolTide } from '../spool/tide';

export const silent = createLog('click-redirect', 'silent');

/** Keeps what it acknowledged; refuses, before or after it took the messages, when it is told to. */
export class RecordingProducer implements Producer {
  readonly values = new Map<string, string>();
  readonly wrong: string[] = [];
  /** Gives true where a send fails. */
  fails: () => boolean = () => false;

  async send(messages: readonly OutgoingMessage[]): Promise<void> {
    await new Promise(setImmediate);
    if (this.fails()) throw new Error('no broker');
    for (const { key, value } of messages) {
      const before = this.values.get(String(key));
      if (before !== undefined && before !== String(value)) this.wrong.push(`${String(key)} came with other bytes`);
      this.values.set(String(key), String(value));
    }
    if (this.fails()) throw new Error('the answer was lost');
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

export interface OpenSpool {
  readonly spool: Spool;
  readonly tide: SpoolTide;
}
export async function openSpool(disk: SpoolDisk, options: Partial<SpoolOptions> = {}): Promise<OpenSpool> {
  const tide = new SpoolTide();
  const spool = await Spool.open({ disk, tide, bytesMax: 1e9, waitMs: 10_000, retryMs: 0, log: silent, ...options });
  return { spool, tide };
}

export function startShipper(disk: SpoolDisk, tide: SpoolTide, producer: Producer): Shipper {
  const shipper = new Shipper({ disk, tide, producer, log: silent });
  tide.wake = () => shipper.wake();
  void shipper.start();
  return shipper;
}

let made = 0;
export function fact(valueLength = 100, id = `id-${String(++made).padStart(29, '0')}`): RecordOf {
  const value = JSON.stringify({ id, text: 'x'.repeat(valueLength) });
  return {
    kind: 0,
    tenantId: '11111111-1111-4111-8111-111111111111',
    occurredAtMs: 1_770_000_000_000 + made,
    id,
    traceparent: undefined,
    value,
  };
}

export const keep = (spool: Spool, record = fact()): Promise<Shed | null> => new Promise((resolve) => spool.append(record, resolve));

/** Everything that a folder holds, as a process that takes it over sends it. */
export async function shipAll(disk: SpoolDisk, producer = new RecordingProducer()): Promise<RecordingProducer> {
  const { spool, tide } = await openSpool(disk);
  const shipper = startShipper(disk, tide, producer);
  await eventually(() => shipper.isIdle, 10_000, 1);
  await shipper.stop();
  await spool.close();
  return producer;
}
