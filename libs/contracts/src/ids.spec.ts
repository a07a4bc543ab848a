import { nameId } from './index';

describe('an id that is made of a name', () => {
  it('stays what it was: stored facts are found by it', () => {
    expect([nameId('conversion', 't', 'o-1'), nameId('body', 'ü😀\ud800', -0, 1e21)]).toEqual([
      '487464c7-f66d-84a2-bfb6-d58e69e1aa33',
      '4be81f5e-46b3-8a9a-bb59-0323cab95cda',
    ]);
  });

  it('has the shape of a UUID of version 8', () => {
    for (let i = 0; i < 500; i++) expect(nameId('any', i)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
