import type { Orders, Telling } from './orders';

export interface BatonSettings {
  readonly url: string;
  readonly apiKey: string;
  readonly orders: Orders;
}

const TRY_AGAIN_MS = 1_000;
const ANSWER_MAX_MS = 5_000;

/**
 * Tells Baton what was sold, in the background and for as long as it takes. The same id and body may be sent any number of times: Baton
 * answers each with the first receipt. Only 429 and 5xx are worth another try; any other answer is final and says what to mend.
 */
export class Baton {
  private timer: NodeJS.Timeout | undefined;
  private working: Promise<void> = Promise.resolve();

  constructor(private readonly settings: BatonSettings) {}

  start(): void {
    this.timer = setInterval(() => this.wake(), TRY_AGAIN_MS);
    this.wake();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.working;
  }

  /** One after the other: what is being told is not told a second time meanwhile. */
  wake(): void {
    this.working = this.working.then(() => this.tellAll());
  }

  /** What has become of it since: who earned it, whether it was trusted, what is owed. */
  async receipt(receiptId: string): Promise<unknown> {
    const answer = await fetch(`${this.settings.url}/v1/receipts/${receiptId}`, {
      headers: { authorization: `Bearer ${this.settings.apiKey}` },
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
    });
    return answer.json();
  }

  private async tellAll(): Promise<void> {
    for (const telling of this.settings.orders.untold()) {
      const answer = await this.tell(telling).catch(() => null);
      if (!answer) return;
      await this.settings.orders.put({ ...telling, answer });
    }
  }

  private async tell({ path, body }: Telling): Promise<Telling['answer'] | null> {
    const answer = await fetch(`${this.settings.url}${path}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${this.settings.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MAX_MS),
    });
    if (answer.status === 429 || answer.status >= 500) return null;
    return {
      status: answer.status,
      receiptId: answer.headers.get('baton-receipt'),
      verdict: answer.headers.get('baton-verdict') ?? 'rejected',
      reason: answer.headers.get('baton-reason') ?? 'internal',
    };
  }
}
