import { randomBytes } from 'node:crypto';
import { seal, unseal } from './seal';

describe('sealed secrets', () => {
  const key = randomBytes(32);
  const sealed = seal(key, 'tenant/stripe/1', ['whsec_a', 'whsec_b']);

  it('open under their key, for their row', () => {
    expect(unseal(key, 'tenant/stripe/1', sealed)).toEqual(['whsec_a', 'whsec_b']);
    expect(sealed.toString('latin1')).not.toContain('whsec');
    expect(seal(key, 'tenant/stripe/1', ['whsec_a', 'whsec_b'])).not.toEqual(sealed);
  });

  it('open for nobody else, and not when a bit was changed', () => {
    expect(() => unseal(key, 'tenant/stripe/2', sealed)).toThrow();
    expect(() => unseal(randomBytes(32), 'tenant/stripe/1', sealed)).toThrow();
    for (let at = 0; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] as number) ^ 1;
      expect(() => unseal(key, 'tenant/stripe/1', changed)).toThrow();
    }
    expect(() => unseal(key, 'tenant/stripe/1', sealed.subarray(0, 20))).toThrow();
  });
});
