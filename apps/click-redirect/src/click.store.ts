import { ClickRecorded, type ClickRecordedData, emit, encode } from '@baton/contracts';
import { crashPoint, InfrastructureError, type Producer, UnsendableMessage } from '@baton/platform';

/** Why a visitor was sent on without a click id. */
export type Shed = 'timeout' | 'connection' | 'capacity' | 'down' | 'closing' | 'unsendable' | 'internal';
export type Recorded = { readonly kind: 'recorded' } | { readonly kind: 'shed'; readonly reason: Shed };

export interface ClickStore {
  /**
   * `recorded`: every in-sync replica has the click. `shed`: it was not said so in time, and the visitor must not get the id. A click that
   * is acknowledged after the deadline stays in the topic under an id that nobody holds, which harms nothing.
   */
  record(click: ClickRecordedData, traceparent?: string): Promise<Recorded>;
}

const RECORDED: Recorded = { kind: 'recorded' };
const KINDS: readonly string[] = ['timeout', 'connection', 'capacity', 'closing'] satisfies Shed[];

/**
 * Clicks in Kafka. After a click that failed, one at a time goes on trying while the others are shed at once, so that an outage costs one
 * visitor the deadline and not all of them; the first success opens the gate.
 */
export class KafkaClickStore implements ClickStore {
  private isDown = false;
  private isProbing = false;

  constructor(
    private readonly producer: Producer,
    private readonly deadlineMs: number,
  ) {}

  async record(click: ClickRecordedData, traceparent?: string): Promise<Recorded> {
    if (this.isDown && this.isProbing) return { kind: 'shed', reason: 'down' };
    const isProbe = this.isDown;
    if (isProbe) this.isProbing = true;
    try {
      const message = { topic: ClickRecorded.topic, ...encode(emit(ClickRecorded, click), traceparent) };
      crashPoint('click:sending');
      await this.producer.send([message], this.deadlineMs);
      crashPoint('click:acknowledged');
      this.isDown = false;
      return RECORDED;
    } catch (error) {
      // A full queue or one refused message says nothing about the broker.
      const reason = reasonOf(error);
      if (reason === 'timeout' || reason === 'connection') this.isDown = true;
      return { kind: 'shed', reason };
    } finally {
      if (isProbe) this.isProbing = false;
    }
  }
}

function reasonOf(error: unknown): Shed {
  if (error instanceof UnsendableMessage) return 'unsendable';
  if (!(error instanceof InfrastructureError)) return 'internal';
  return KINDS.includes(error.kind) ? (error.kind as Shed) : 'connection';
}
