import { appendFile, readFile } from 'node:fs/promises';

/** What the shop must tell Baton, and what Baton answered. */
export interface Telling {
  /** The shop's own id of what it tells: an order, a refund, a customer. Together with `path` it never comes twice. */
  readonly id: string;
  readonly path: '/v1/conversions' | '/v1/reversals';
  readonly body: Readonly<Record<string, unknown>>;
  /** Absent: not told yet. */
  readonly answer?: { readonly status: number; readonly receiptId: string | null; readonly verdict: string; readonly reason: string };
}

/**
 * The shop's books: one line for each change, written before Baton is told, so that a shop that dies in between tells it after its restart.
 * A real shop has this in the transaction that stores the order.
 */
export class Orders {
  private constructor(
    private readonly file: string,
    private readonly tellings: Map<string, Telling>,
  ) {}

  static async open(file: string): Promise<Orders> {
    const text = await readFile(file, 'utf8').catch(() => '');
    const tellings = new Map<string, Telling>();
    for (const telling of text.split('\n').flatMap(read)) tellings.set(keyOf(telling), telling);
    // What comes next may not be glued to a line that was torn.
    if (text !== '' && !text.endsWith('\n')) await appendFile(file, '\n');
    return new Orders(file, tellings);
  }

  async put(telling: Telling): Promise<void> {
    await appendFile(this.file, `${JSON.stringify(telling)}\n`, { flush: true });
    this.tellings.set(keyOf(telling), telling);
  }

  untold(): Telling[] {
    return [...this.tellings.values()].filter(({ answer }) => !answer);
  }

  all(): Telling[] {
    return [...this.tellings.values()];
  }

  find(path: Telling['path'], id: string): Telling | undefined {
    return this.tellings.get(`${path} ${id}`);
  }
}

/** None for a line that a crash has torn: nobody was told that it was taken. */
function read(line: string): Telling[] {
  try {
    return line === '' ? [] : [JSON.parse(line) as Telling];
  } catch {
    return [];
  }
}

const keyOf = ({ path, id }: Telling): string => `${path} ${id}`;
