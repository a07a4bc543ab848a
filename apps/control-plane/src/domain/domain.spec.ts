import { ENTITY_STATES, PlanChanged, type PlanData, ProgramChanged, validated } from '@baton/contracts';
import fc from 'fast-check';
import { defaultDestination, destinationOf } from './destination';
import { fingerprintOf } from './fingerprint';
import { partnerKeyOf } from './partner-key';
import { basisPointsOf, firstPlan, nextPlan, rewardOf } from './plan';
import { firstProgram, nextProgram, problemsOfProgram } from './program';
import { nextVersion, type Stamp } from './stamp';
import { changeState } from './state';
import { inForce, laterValidFrom } from './terms';
import { namedUtm, utmOf } from './utm';

const stamp: Stamp = {
  tenantId: '11111111-1111-4111-8111-111111111111',
  id: '22222222-2222-4222-8222-222222222222',
  changedAt: '2026-06-01T00:00:00.000Z',
  catalogVersion: 7,
};
const later: Stamp = { ...stamp, changedAt: '2026-07-01T00:00:00.000Z', catalogVersion: 8 };
const program = firstProgram({ name: 'Spring', destinationHosts: ['shop.example'] }, stamp);

describe('terms', () => {
  const instant = fc
    .date({ min: new Date('2000-01-01T00:00:00Z'), max: new Date('2100-01-01T00:00:00Z'), noInvalidDate: true })
    .map((d) => d.toISOString());

  it('are in force by the highest version that has begun, in whatever order they are read', () => {
    fc.assert(
      fc.property(fc.array(instant, { minLength: 1, maxLength: 8 }), instant, fc.infiniteStream(fc.nat()), (begins, at, random) => {
        const versions = begins.map((validFrom, i) => ({ version: i + 1, validFrom }));
        const shuffled = [...versions]
          .map((v) => ({ v, r: random.next().value as number }))
          .sort((a, b) => a.r - b.r)
          .map(({ v }) => v);
        const begun = versions.filter((v) => Date.parse(v.validFrom) <= Date.parse(at));
        expect(inForce(shuffled, at)).toEqual(begun.at(-1));
      }),
    );
  });

  it('of an earlier instant are never changed by a later version that begins now', () => {
    fc.assert(
      fc.property(fc.array(instant, { minLength: 1, maxLength: 8 }), instant, instant, (begins, now, at) => {
        fc.pre(at < now);
        const versions = begins.map((validFrom, i) => ({ version: i + 1, validFrom }));
        expect(inForce([...versions, { version: versions.length + 1, validFrom: now }], at)).toEqual(inForce(versions, at));
      }),
    );
  });

  it('begin now unless they say later; the past is refused', () => {
    expect(laterValidFrom(undefined, stamp.changedAt)).toEqual({ kind: 'ok', validFrom: stamp.changedAt });
    expect(laterValidFrom(later.changedAt, stamp.changedAt)).toEqual({ kind: 'ok', validFrom: later.changedAt });
    expect(laterValidFrom(stamp.changedAt, later.changedAt)).toEqual({ kind: 'past', validFrom: stamp.changedAt });
  });
});

describe('a program', () => {
  it('covers everything that ever happened with its first version, and is what its contract says', () => {
    expect(program.validFrom).toBe('2000-01-01T00:00:00.000Z');
    expect(validated(ProgramChanged, program)).toMatchObject({
      windowMs: 2_592_000_000,
      holdDays: 30,
      clockSkewMs: 300_000,
      landingParam: 'click_id',
      model: 'last_touch',
      version: 1,
      state: 'active',
    });
  });

  it('keeps in its next version what is not named, its own id and its tenant', () => {
    const next = nextProgram(program, { holdDays: 7 }, later, later.changedAt);
    expect(next).toEqual({
      ...program,
      holdDays: 7,
      version: 2,
      validFrom: later.changedAt,
      changedAt: later.changedAt,
      catalogVersion: 8,
    });
  });

  it('that is paused keeps its terms in force where they were', () => {
    const scheduled = nextProgram(program, { holdDays: 7 }, later, '2027-01-01T00:00:00.000Z');
    const paused = nextVersion(scheduled, later, { state: 'disabled' });
    const versions = [program, scheduled, paused];
    expect(inForce(versions, '2026-08-01T00:00:00.000Z')?.holdDays).toBe(30);
    expect(inForce(versions, '2027-01-01T00:00:00.000Z')).toBe(paused);
  });

  it.each([
    [[], /names no host/],
    [['https://shop.example'], /without a scheme/],
    [['Shop.Example'], /lower case/],
    [['*'], /not a host/],
    [['a..b'], /not a host/],
  ])('refuses the hosts %j', (destinationHosts, problem) => {
    expect(
      problemsOfProgram({ ...program, destinationHosts })
        .map((p) => p.problem)
        .join(),
    ).toMatch(problem);
  });

  it('checks where its fallback leads', () => {
    expect(problemsOfProgram({ ...program, fallbackUrl: 'https://shop.example/sorry' })).toEqual([]);
    expect(problemsOfProgram({ ...program, fallbackUrl: 'https://evil.example/' })[0]?.field).toBe('fallback_url');
  });

  it('lets links lead where the terms in force allow it', () => {
    const moved = nextProgram(program, { destinationHosts: ['new.example'] }, later, '2027-01-01T00:00:00.000Z');
    expect(destinationOf('https://shop.example/a', [program, moved], later.changedAt).kind).toBe('ok');
    expect(destinationOf('https://new.example/a', [program, moved], later.changedAt).kind).toBe('refused');
    expect(destinationOf('https://SHOP.example/a', [program], later.changedAt)).toEqual({ kind: 'ok', href: 'https://shop.example/a' });
    expect(destinationOf('https://new.example/a', [program, moved], '2027-06-01T00:00:00.000Z').kind).toBe('ok');
    expect(defaultDestination([{ ...program, destinationHosts: ['*.a.example', 'b.example'] }], later.changedAt)).toBe(
      'https://b.example/',
    );
    expect(defaultDestination([{ ...program, destinationHosts: ['*.a.example'] }], later.changedAt)).toBeUndefined();
  });
});

describe('a plan', () => {
  it.each([
    ['2.9', 290],
    ['10', 1_000],
    ['0.01', 1],
    ['100', 10_000],
    ['0', null],
    ['100.01', null],
    ['2.999', null],
    ['-1', null],
    ['1e1', null],
    ['', null],
  ])('reads %s percent as %s basis points', (percent, basisPoints) => expect(basisPointsOf(percent)).toBe(basisPoints));

  it('reads every hundredth of a percent exactly', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10_000 }),
        (bp) => basisPointsOf(`${Math.floor(bp / 100)}.${String(bp % 100).padStart(2, '0')}`) === bp,
      ),
    );
  });

  it('is flat or a percentage, never half of each', () => {
    expect(rewardOf({ kind: 'flat', amount_minor: 500, currency: 'EUR' })).toEqual({
      kind: 'ok',
      reward: { kind: 'flat', amountMinor: 500, currency: 'EUR', basisPoints: null },
    });
    expect(rewardOf({ kind: 'percentage', percent: '2.9' })).toMatchObject({ kind: 'ok', reward: { basisPoints: 290 } });
    const problems = (words: Parameters<typeof rewardOf>[0]) => {
      const check = rewardOf(words);
      return check.kind === 'refused' ? check.problems.map((p) => p.field) : [];
    };
    expect(problems({ kind: 'flat', basis_points: 1 })).toEqual(['amount_minor', 'currency', 'basis_points']);
    expect(problems({ kind: 'percentage' })).toEqual(['basis_points']);
    expect(problems({ kind: 'percentage', basis_points: 1, percent: '1', currency: 'EUR' })).toEqual(['currency', 'basis_points']);
  });

  it('can change from a percentage to a flat amount without keeping the old half', () => {
    const first = firstPlan(
      {
        programId: stamp.id,
        name: 'Ten',
        conversionTypes: ['sale'],
        reward: { kind: 'percentage', basisPoints: 1_000, amountMinor: null, currency: null },
      },
      stamp,
    );
    const next: PlanData = nextPlan(
      first,
      { reward: { kind: 'flat', amountMinor: 500, currency: 'EUR', basisPoints: null } },
      later,
      later.changedAt,
    );
    expect(next).toMatchObject({ name: 'Ten', conversionTypes: ['sale'], kind: 'flat', basisPoints: null, amountMinor: 500, version: 2 });
    expect(() => [first, next].map((plan) => validated(PlanChanged, plan))).not.toThrow();
  });
});

describe('a state', () => {
  it('changes freely until it is deleted, which is final', () => {
    for (const from of ENTITY_STATES)
      for (const to of ENTITY_STATES)
        expect(changeState(from, to).kind).toBe(from === to ? 'same' : from === 'deleted' ? 'refused' : 'changed');
  });
});

describe('UTM parameters', () => {
  it('always carry the medium referral, and come back as they were named', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('source', 'campaign', 'term', 'content', 'id'), fc.string({ minLength: 1, maxLength: 20 }), {
          minKeys: 1,
        }),
        (named) => {
          const utm = utmOf(named);
          if (utm.kind !== 'ok') throw new Error('refused');
          expect(utm.utm['utm_medium']).toBe('referral');
          expect(namedUtm(utm.utm)).toEqual({ ...named, medium: 'referral' });
        },
      ),
    );
  });
  it('are none when none is named', () => expect(utmOf({})).toEqual({ kind: 'ok', utm: {} }));
  it.each([[{ medium: 'cpc' }], [{ utm_source: 'a' }], [{ 'a b': 'c' }], [{ source: '' }]])('refuse %j', (named) =>
    expect(utmOf(named as Record<string, string>).kind).toBe('refused'),
  );
});

describe('a fingerprint', () => {
  it('is the same for the same body in any order of keys, and another for another body', () => {
    const body = fc.dictionary(
      fc.string({ maxLength: 5 }),
      fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string(), { maxLength: 3 })),
      { maxKeys: 5 },
    );
    fc.assert(
      fc.property(body, (b) => fingerprintOf(b) === fingerprintOf(Object.fromEntries(Object.entries({ ...b, none: undefined }).reverse()))),
    );
    expect(fingerprintOf({ a: ['1', '2'] })).not.toBe(fingerprintOf({ a: ['2', '1'] }));
    expect(fingerprintOf({ a: '1' })).not.toBe(fingerprintOf({ a: 1 }));
  });
});

describe('a partner key', () => {
  it.each([
    ['The Garden Blog!', 'the-garden-blog'],
    ['Äpfel & Öl', 'apfel-ol'],
    ['日本', 'fallback'],
  ])('of %s is %s', (name, key) => expect(partnerKeyOf(name, 'fallback')).toBe(key));
  it('always fits its contract', () => {
    fc.assert(fc.property(fc.string({ maxLength: 200, unit: 'binary' }), (name) => /^[A-Za-z0-9._-]{1,64}$/.test(partnerKeyOf(name, 'x'))));
  });
});
