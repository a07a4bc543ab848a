import fc from 'fast-check';
import type { LinkTarget } from '@baton/contracts';
import { aim, type Aimed, targetsOf } from './targeting';
import type { DeviceClass } from './visitor';

const visitor = (change: Partial<Aimed> = {}): Aimed => ({ country: 'DE', device: 'desktop', visitorKey: 'v', ...change });
const target = (change: Partial<LinkTarget>, ...destinations: string[]): LinkTarget => ({
  ...change,
  choices: destinations.map((destination) => ({ destination, weight: 1 })),
});
const all = (destination: string) => destination;
const aimAt = (targets: LinkTarget[], change: Partial<Aimed> = {}) => aim(targetsOf(targets, all), visitor(change));

const KEYS = 100_000;
/** Shapes of keys: ids that count up, hashes, and four characters as the redirect takes them of a visitor's id. */
const SHAPES: [string, (i: number) => string][] = [
  ['keys that count up', (i) => `visitor-${i}`],
  ['keys like hashes', (i) => Buffer.from(BigInt.asUintN(64, BigInt(i) * 0x9e3779b97f4a7c15n).toString(16)).toString('base64url')],
  ['four characters', (i) => Buffer.from([i >>> 16, i >>> 8, i]).toString('base64url')],
  ['four scattered characters', (i) => Buffer.from([Math.imul(i, 0x9e3779b1) >>> 24, i >>> 8, i]).toString('base64url')],
];

describe('where a target leads', () => {
  it('the first that fits country and device wins', () => {
    const targets = [
      target({ countries: ['AT', 'CH'] }, 'alps'),
      target({ countries: ['DE'], devices: ['mobile'] }, 'german phones'),
      target({ devices: ['mobile', 'tablet'] }, 'hands'),
      target({ countries: ['de'], devices: [] }, 'german'),
    ];
    const asked: [string | null, DeviceClass][] = [
      ['CH', 'mobile'],
      ['DE', 'mobile'],
      ['FR', 'tablet'],
      ['DE', 'desktop'],
      ['FR', 'desktop'],
      [null, 'mobile'],
      [null, 'desktop'],
      ['DE', 'bot'],
    ];
    expect(asked.map(([country, device]) => aimAt(targets, { country, device }))).toEqual([
      'alps',
      'german phones',
      'hands',
      'german',
      null,
      'hands',
      // Nobody knows the country: no target that names one.
      null,
      // A bot sees the link's own destination, as everybody's preview.
      null,
    ]);
  });

  it.each(
    SHAPES.flatMap(([name, key]) =>
      [
        [1, 1],
        [70, 20, 10],
        [1, 99],
        [5, 5, 5, 5, 5, 5, 5, 5],
      ].map((weights) => [name, weights, key] as const),
    ),
  )('%s are shared by weight: %j', (_name, weights, key) => {
    const choices = weights.map((weight, i) => ({ destination: `https://shop.example/${String.fromCharCode(97 + i)}`, weight }));
    const targets = targetsOf([{ choices }], all);
    const counts = new Map(choices.map(({ destination }) => [destination, 0]));
    for (let i = 0; i < KEYS; i++) {
      const chosen = aim(targets, visitor({ visitorKey: key(i) }))!;
      counts.set(chosen, counts.get(chosen)! + 1);
    }
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (const { destination, weight } of choices) expect(Math.abs(counts.get(destination)! / KEYS - weight / total)).toBeLessThan(0.01);
  });

  it('two experiments share visitors out independently of each other', () => {
    const first = targetsOf([target({}, 'https://shop.example/a1', 'https://shop.example/b1')], all);
    const second = targetsOf([target({}, 'https://shop.example/a2', 'https://shop.example/b2')], all);
    let both = 0;
    for (let i = 0; i < KEYS; i++) {
      const asked = visitor({ visitorKey: `visitor-${i}` });
      if (aim(first, asked)!.includes('/a') && aim(second, asked)!.includes('/a')) both++;
    }
    expect(Math.abs(both / KEYS - 0.25)).toBeLessThan(0.01);
  });

  it('a visitor keeps its choice, whatever becomes of other targets, and moves only where a choice comes, goes or gains', () => {
    const letters = [...'abcdefgh'];
    fc.assert(
      fc.property(fc.string({ maxLength: 30 }), fc.subarray(letters, { minLength: 2 }), fc.nat(), (visitorKey, names, at) => {
        const before = aimAt([target({}, ...names)], { visitorKey });
        expect(aimAt([target({ countries: ['US'] }, 'x', 'y'), target({}, ...names), target({}, 'z')], { visitorKey })).toBe(before);
        expect(aimAt([target({}, ...names.toReversed())], { visitorKey })).toBe(before);
        const gone = names[at % names.length]!;
        const left = names.filter((name) => name !== gone);
        if (before !== gone) expect(aimAt([target({}, ...left)], { visitorKey })).toBe(before);
        expect([before, 'new']).toContain(aimAt([target({}, ...names, 'new')], { visitorKey }));
      }),
    );
  });

  it('a choice that cannot be sent leaves its visitors to the others, and a target without any to nobody', () => {
    const sendable = (destination: string) => (destination.startsWith('bad') ? null : destination);
    const targets = targetsOf([target({}, 'bad', 'good')], sendable);
    expect(Array.from({ length: 50 }, (_, i) => aim(targets, visitor({ visitorKey: `${i}` })))).toEqual(Array(50).fill('good'));
    expect(aim(targetsOf([target({}, 'bad', 'bad2'), target({}, 'next')], sendable), visitor())).toBeNull();
  });

  it('a destination that stands twice has both weights', () => {
    const choices = [
      { destination: 'a', weight: 1 },
      { destination: 'a', weight: 2 },
      { destination: 'b', weight: 1 },
    ];
    const targets = targetsOf([{ choices }], all);
    const a = Array.from({ length: 20_000 }, (_, i) => aim(targets, visitor({ visitorKey: `v${i}` }))).filter((chosen) => chosen === 'a');
    expect(Math.abs(a.length / 20_000 - 0.75)).toBeLessThan(0.02);
  });
});
