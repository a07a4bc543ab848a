import { readIdempotencyKey } from './idempotency-key';

describe('the header Idempotency-Key', () => {
  it.each([
    ['8e03978e-40d5-43dd-bc93-6894a57f9324', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"8e03978e-40d5-43dd-bc93-6894a57f9324"', '8e03978e-40d5-43dd-bc93-6894a57f9324'],
    ['"with \\"quotes\\" and \\\\"', 'with "quotes" and \\'],
    ['  order 17  ', 'order 17'],
    ['a'.repeat(255), 'a'.repeat(255)],
  ])('%s', (header, key) => {
    expect(readIdempotencyKey(header)).toBe(key);
  });

  it.each(['', '""', '"open', 'a'.repeat(256), 'tab\there', 'ключ'])('refuses %j', (header) => {
    expect(() => readIdempotencyKey(header)).toThrow('idempotency_key_invalid');
  });

  it('refuses two of them, and may be absent', () => {
    expect(() => readIdempotencyKey(['a', 'b'])).toThrow('idempotency_key_invalid');
    expect(readIdempotencyKey(undefined)).toBeNull();
  });
});
