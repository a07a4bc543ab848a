import { loadEnv } from '@baton/platform';
import { Env } from './env';

const good = { PORT: '0', KAFKA_BROKERS: '127.0.0.1:9092', CLICK_ID_KEYS: `1:${'a'.repeat(64)}`, ADDRESS_HASH_KEY: 'b'.repeat(64) };

describe('the environment', () => {
  it('is complete with four keys', () => expect(loadEnv(Env, good)).toMatchObject({ CLICK_ACK_MS: 800, TRUSTED_PROXIES: '' }));

  it('names every problem at once, and no secret', () => {
    const bad = () =>
      loadEnv(Env, { ...good, CLICK_ID_KEYS: '1:secret', ADDRESS_HASH_KEY: 'secret', CLICK_ACK_MS: '5', TRUSTED_PROXIES: '10.0.0.0/40' });
    expect(bad).toThrow(
      /CLICK_ID_KEYS is set, but.*\n.*ADDRESS_HASH_KEY is set, but[^]*TRUSTED_PROXIES is set, but TRUSTED_PROXIES must be networks/,
    );
    expect(bad).toThrow(/CLICK_ACK_MS/);
    expect(bad).not.toThrow(/secret/);
  });
});
