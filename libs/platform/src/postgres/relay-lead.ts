import { Client } from 'pg';
import { InfrastructureError } from '../ports';
import { endConnection } from './connection';

/** The server ends the lock's connection when its holder has said nothing for this long: a frozen leader loses the lock. */
const SILENCE_MAX_MS = 10_000;
/** What a leader believes is shorter than what the server grants, so that clocks that drift and answers that linger do no harm. */
const BELIEF_MS = 6_000;
const LOCK = "hashtext('baton_relay')";

/**
 * Who may send: an advisory lock on a connection of its own, which must reach the server itself (a pooler that shares connections between
 * transactions would share the lock too). A confirmation is worth `BELIEF_MS` from the moment at which it was *asked for*: the server keeps the
 * lock for longer than that after its answer, so a process that was frozen in between knows on waking that it may no longer lead.
 */
export class Lead {
  private client: Client | null = null;
  private held = false;
  private believedUntilMs = 0;

  constructor(
    private readonly url: string,
    private readonly applicationName: string,
  ) {}

  /** Takes the lock, or tries; the connection stays for the next try. Throws `InfrastructureError`. */
  async take(): Promise<boolean> {
    if (this.client && this.held) return true;
    const askedAtMs = performance.now();
    try {
      this.client ??= await this.connect();
      const { rows } = await this.client.query<{ locked: boolean }>(`SELECT pg_try_advisory_lock(${LOCK}) AS locked`);
      this.held = rows[0]?.locked === true && this.client !== null;
      this.believedUntilMs = askedAtMs + BELIEF_MS;
      return this.held;
    } catch (error) {
      await this.drop();
      throw new InfrastructureError('postgres', 'connection', error);
    }
  }

  /** For how long this process may still send, in milliseconds: more than zero, or `InfrastructureError`. Also breaks the silence. */
  async confirm(): Promise<number> {
    const askedAtMs = performance.now();
    try {
      if (!this.client || !this.held) throw new Error('the lock is gone');
      // The session is there, so its lock is; a session that the server ended answers no more.
      await this.client.query('SELECT 1');
      this.believedUntilMs = askedAtMs + BELIEF_MS;
      const leftMs = this.believedUntilMs - performance.now();
      if (leftMs <= 0) throw new Error('the confirmation came too late to be believed');
      return leftMs;
    } catch (error) {
      await this.drop();
      throw new InfrastructureError('postgres', 'connection', error);
    }
  }

  /** Confirms when the last confirmation is half used up, so that the server hears from an idle leader. */
  async keep(): Promise<void> {
    if (this.believedUntilMs - performance.now() < BELIEF_MS / 2) await this.confirm();
  }

  get isHeld(): boolean {
    return this.held;
  }

  /** Gives the lock back, so that another leads at once. */
  async drop(): Promise<void> {
    const client = this.client;
    this.client = null;
    this.held = false;
    if (client) await endConnection(client);
  }

  private async connect(): Promise<Client> {
    const client = new Client({
      connectionString: this.url,
      connectionTimeoutMillis: 3_000,
      query_timeout: 3_000,
      keepAlive: true,
      application_name: this.applicationName,
    });
    const lost = (): void => {
      if (this.client !== client) return;
      this.client = null;
      this.held = false;
    };
    client.on('error', lost);
    client.on('end', lost);
    try {
      await client.connect();
      await client.query(`SET idle_session_timeout = ${SILENCE_MAX_MS}`);
      return client;
    } catch (error) {
      await endConnection(client);
      throw error;
    }
  }
}
