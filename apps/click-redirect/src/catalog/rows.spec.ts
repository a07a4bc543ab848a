import fc from 'fast-check';
import { LinkChanged, ProgramChanged } from '@baton/contracts';
import { packLink, supersedes, termsOf, unpackLink, withTerms } from './rows';

const claim = (change: object) => ({ tenantId: 't', id: 'a', version: 1, catalogVersion: 1, ...change });

describe('what the catalog keeps', () => {
  it('a link comes back as it was packed', () => {
    const optional = fc.record(
      {
        utm: fc.dictionary(fc.string(), fc.string()),
        startsAt: fc.string(),
        endsAt: fc.string(),
        clickCap: fc.nat(),
        fallbackUrl: fc.string(),
        targets: fc.array(fc.record({ choices: fc.array(fc.record({ destination: fc.string(), weight: fc.nat() })) })),
        deepLink: fc.string(),
        subIds: fc.dictionary(fc.string(), fc.string()),
      },
      { requiredKeys: [] },
    );
    const nothing = { utm: null, startsAt: null, endsAt: null, clickCap: null, fallbackUrl: null, targets: null, deepLink: null };
    fc.assert(
      fc.property(optional, (said) => {
        const { changedAt: _, ...kept } = { ...LinkChanged.sample, ...said };
        expect(JSON.stringify(sorted(unpackLink(packLink(kept))))).toBe(JSON.stringify(sorted({ ...nothing, ...kept })));
      }),
    );
    expect(packLink(LinkChanged.sample)).toHaveLength(10);
  });

  it('of one entity the higher version stays, of two the later change', () => {
    expect([
      supersedes(claim({}), undefined),
      supersedes(claim({ version: 2 }), claim({ catalogVersion: 9 })),
      supersedes(claim({ catalogVersion: 9 }), claim({})),
      supersedes(claim({ id: 'b', catalogVersion: 2 }), claim({ version: 9 })),
      supersedes(claim({ id: 'b', version: 9 }), claim({ catalogVersion: 2 })),
      supersedes(claim({ tenantId: 'u', catalogVersion: 2 }), claim({ version: 9 })),
    ]).toEqual([true, true, false, true, false, true]);
  });

  it('versions of terms stand highest first, each once, in whatever order they came', () =>
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 })), (versions) => {
        const terms = versions.map((version) => termsOf({ ...ProgramChanged.sample, version }));
        const kept = terms.reduce(withTerms, [] as ReturnType<typeof withTerms>);
        expect(kept.map(({ version }) => version)).toEqual([...new Set(versions)].sort((a, b) => b - a));
      }),
    ));
});

const sorted = (row: object): unknown[] => Object.entries(row).sort(([a], [b]) => (a < b ? -1 : 1));
