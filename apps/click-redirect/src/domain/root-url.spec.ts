import { rootUrlOf } from './root-url';

describe('where a bare domain leads', () => {
  it.each(['https://shop.example/', 'https://shop.example/a?b=c#d'])('%s', (text) => expect(rootUrlOf(text)).toBe(text));
  it.each([
    null,
    '',
    'shop.example',
    '//shop.example/',
    'http://shop.example/',
    'javascript:alert(1)',
    'data:text/html,x',
    'https://user:secret@shop.example/',
    'https://shop.example/\r\nSet-Cookie:x=1',
    'https:/\\evil.example',
  ])('never %j', (text) => expect(rootUrlOf(text)).toBeNull());
});
