import { InvalidEvent } from '@baton/contracts';
import { InfrastructureError } from '../ports';
import { classify, isCollision } from './errors';

/** As Prisma 7 with its Postgres adapter throws what the server said. */
const raw = (sqlState: string, text: string) =>
  Object.assign(new Error(`Raw query failed. Code: \`${sqlState}\`. Message: \`${text}\``), {
    name: 'PrismaClientKnownRequestError',
    code: 'P2010',
    meta: {
      driverAdapterError: {
        name: 'DriverAdapterError',
        cause: { originalCode: sqlState, originalMessage: text, kind: 'postgres', code: sqlState, severity: 'ERROR', message: text },
      },
    },
  });
const kindOf = (error: unknown) => {
  const classified = classify(error);
  return classified instanceof InfrastructureError ? classified.kind : 'passes';
};

describe('errors of Postgres', () => {
  it.each([
    ['40P01', 'deadlock'],
    ['40001', 'serialisation'],
    ['08006', 'connection'],
    ['57P01', 'connection'],
    ['25006', 'connection'],
    ['57014', 'timeout'],
    ['53300', 'capacity'],
    ['23505', 'passes'],
    ['22P02', 'passes'],
    ['42501', 'passes'],
    ['P0001', 'passes'],
  ])('%s: %s', (sqlState, kind) => expect(kindOf(raw(sqlState, 'whatever'))).toBe(kind));

  it('a row that met the attaching of its partition is written anew; a check of a message is not', () => {
    expect(kindOf(raw('23514', 'new row for relation "outbox_default" violates partition constraint'))).toBe('serialisation');
    for (const text of [
      'new row for relation "facts" violates check constraint "amount"',
      'x new row for relation "outbox_default" violates partition constraint',
    ])
      expect(kindOf(raw('23514', text))).toBe('passes');
  });

  it('never takes the words of a visitor for an outage', () => {
    for (const words of ['Connection terminated', 'Query read timeout', 'terminating connection 08006', 'read ECONNRESET', '57P01']) {
      expect(kindOf(raw('22P02', `invalid input syntax for type uuid: "${words}"`))).toBe('passes');
      expect(kindOf(new InvalidEvent('schema', words))).toBe('passes');
      expect(kindOf(new TypeError(words))).toBe('passes');
      expect(kindOf(new Error(`no such plan: ${words}`))).toBe('passes');
    }
  });

  it('knows a lost connection that has no code', () => {
    expect(kindOf(new Error('Connection terminated unexpectedly'))).toBe('connection');
    expect(kindOf(new Error('Client has encountered a connection error and is not queryable'))).toBe('connection');
    expect(kindOf(new Error('Query read timeout'))).toBe('timeout');
    expect(
      kindOf(
        Object.assign(new Error('all addresses failed'), {
          name: 'AggregateError',
          errors: [Object.assign(new Error('x'), { code: 'ECONNREFUSED' })],
        }),
      ),
    ).toBe('connection');
  });

  it('gives everything else back as it came, null too', () => {
    const own = new RangeError('10 kB of arrays');
    expect(classify(own)).toBe(own);
    expect(classify(null)).toBeNull();
    expect(classify('text')).toBe('text');
  });

  it('runs again what collided alone', () => {
    expect([raw('40P01', ''), raw('40001', ''), raw('08006', ''), raw('23505', '')].map((error) => isCollision(classify(error)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
