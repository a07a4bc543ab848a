import fc from 'fast-check';
import {
  emit,
  encode,
  type EventContract,
  LinkChanged,
  type LinkData,
  parse,
  PartnerChanged,
  type PartnerData,
  ProgramChanged,
  type ProgramData,
  type Received,
  type TenantData,
} from '@baton/contracts';
import { MemoryCatalogStore } from './catalog.store';
import { decide } from './domain/decision';

const TENANT = '11111111-1111-4111-8111-111111111111';
const OTHER = '99999999-9999-4999-8999-999999999999';
const NOW = Date.parse('2026-06-01T00:00:00.000Z');

/** By way of the wire: what the follower hands over. */
function received<T extends TenantData>(contract: EventContract<T>, data: T): Received {
  const message = encode(emit(contract, data));
  return parse(contract.topic, { ...message, value: Buffer.from(message.value) });
}
const link = (change: Partial<LinkData> = {}) => received(LinkChanged, { ...LinkChanged.sample, ...change });
const program = (change: Partial<ProgramData> = {}) => received(ProgramChanged, { ...ProgramChanged.sample, ...change });
const partner = (change: Partial<PartnerData> = {}) => received(PartnerChanged, { ...PartnerChanged.sample, ...change });

function catalogOf(...events: Received[]): MemoryCatalogStore {
  const catalog = new MemoryCatalogStore();
  catalog.apply(events, []);
  return catalog;
}
const outcome = (catalog: MemoryCatalogStore, slug = 'garden-spring', atMs = NOW) => {
  const found = catalog.find(slug, atMs);
  if (!found) return 'unknown';
  const decision = decide(found.plan, { atMs, country: null, device: 'desktop', visitorKey: 'v', counted: 0 });
  return decision.kind === 'redirect' ? decision.landing.plain.texts.join('') : decision.reason;
};
const SPRING = 'https://shop.example/spring?utm_source=partner&utm_medium=referral&utm_campaign=spring';

describe('the catalog in memory', () => {
  it('leads a link to its destination with the convention of its program', () => {
    const catalog = catalogOf(program(), partner(), link());
    expect([outcome(catalog), outcome(catalog, 'Garden-Spring'), catalog.linkCount]).toEqual([SPRING, 'unknown', 1]);
  });

  it('obeys a link, a program and a partner that are disabled, also when their redirect was rendered before', () => {
    const catalog = catalogOf(program(), partner(), link());
    expect(outcome(catalog)).toBe(SPRING);
    catalog.apply([link({ version: 2, state: 'disabled' })], []);
    expect(outcome(catalog)).toBe('link_disabled');
    catalog.apply([link({ version: 3 })], []);
    expect(outcome(catalog)).toBe(SPRING);
    catalog.apply([partner({ version: 2, state: 'disabled' })], []);
    expect(outcome(catalog)).toBe('partner_disabled');
    catalog.apply([partner({ version: 3 })], []);
    expect(outcome(catalog)).toBe(SPRING);
    catalog.apply([program({ version: 2, state: 'disabled' })], []);
    expect(outcome(catalog)).toBe('program_disabled');
  });

  it('changes terms at the instant at which they begin', () => {
    const catalog = catalogOf(program(), link(), program({ version: 2, validFrom: '2026-06-01T00:00:00.001Z', utm: {} }));
    expect([
      outcome(catalog, 'garden-spring', NOW),
      outcome(catalog, 'garden-spring', NOW + 1),
      outcome(catalog, 'garden-spring', NOW),
    ]).toEqual([SPRING, 'https://shop.example/spring', SPRING]);
  });

  it("never puts a link under another tenant's program", () => {
    const catalog = catalogOf(program({ tenantId: OTHER }), partner({ tenantId: OTHER, state: 'disabled' }), link());
    expect(outcome(catalog)).toBe('program_unknown');
  });

  it('forgets a buried link, and keeps the one of another tenant that bears the same id', () => {
    const catalog = catalogOf(program(), link(), program({ tenantId: OTHER }), link({ tenantId: OTHER, slug: 'other' }));
    catalog.apply([], [`${TENANT}:link:${LinkChanged.sample.id}`, `${TENANT}:program:${ProgramChanged.sample.id}:1`]);
    expect([outcome(catalog), outcome(catalog, 'other')]).toEqual(['unknown', SPRING]);
  });

  it('knows how far it has read', () =>
    expect(catalogOf(program({ catalogVersion: 4 }), link({ catalogVersion: 9 }), partner({ catalogVersion: 7 })).version).toBe(9));

  it('ends in the same state whatever the order, the repeats and the batches', () => {
    const events = [
      program({ catalogVersion: 1 }),
      program({ version: 2, catalogVersion: 2, validFrom: '2026-05-01T00:00:00.000Z', landingParam: 'ref' }),
      program({
        version: 3,
        catalogVersion: 6,
        validFrom: '2026-07-01T00:00:00.000Z',
        state: 'disabled',
        fallbackUrl: 'https://shop.example/closed',
      }),
      partner({ catalogVersion: 3 }),
      partner({ version: 2, catalogVersion: 8, state: 'disabled' }),
      partner({ version: 3, catalogVersion: 9 }),
      link({ catalogVersion: 4 }),
      link({ version: 2, catalogVersion: 5, destination: 'https://shop.example/summer' }),
      link({ version: 3, catalogVersion: 7, destination: 'https://shop.example/autumn', state: 'disabled' }),
      link({ version: 4, catalogVersion: 10, destination: 'https://shop.example/autumn' }),
      link({ id: '44444444-4444-4444-8444-444444444445', number: 2, slug: 'second', catalogVersion: 11 }),
    ];
    const times = [0, NOW, Date.parse('2026-08-01T00:00:00.000Z')];
    const state = (catalog: MemoryCatalogStore) =>
      JSON.stringify([catalog.version, ...times.flatMap((at) => ['garden-spring', 'second'].map((slug) => catalog.find(slug, at)?.plan))]);
    const expected = state(catalogOf(...events));
    const shuffled = fc.shuffledSubarray([...events, ...events], { minLength: events.length * 2 });
    fc.assert(
      fc.property(shuffled, fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 22, maxLength: 22 }), (order, sizes) => {
        const catalog = new MemoryCatalogStore();
        const rest = [...order];
        for (const size of sizes) {
          catalog.apply(rest.splice(0, size), []);
          // Rendering in between must leave nothing stale behind.
          catalog.find('garden-spring', NOW);
        }
        expect(state(catalog)).toBe(expected);
      }),
      { numRuns: 300 },
    );
  });
});
