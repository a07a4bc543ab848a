import fc from 'fast-check';
import { flat } from './flat';

it('is the same text, whatever its parts', () => {
  const unit = fc.oneof(
    fc.string({ minLength: 1 }),
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
  );
  fc.assert(
    fc.property(fc.array(unit), (parts) => {
      const text = parts.reduce((whole, part) => whole + part, '');
      expect(flat(text)).toBe(text);
    }),
  );
});
