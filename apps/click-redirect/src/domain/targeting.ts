import type { LinkTarget } from '@baton/contracts';
import type { DeviceClass } from './visitor';

export interface Target<T> {
  /** Null: all. */
  readonly countries: ReadonlySet<string> | null;
  readonly devices: ReadonlySet<string> | null;
  readonly choices: readonly Choice<T>[];
}
interface Choice<T> {
  readonly seed: number;
  readonly weight: number;
  readonly outcome: T;
}
export interface Aimed {
  readonly country: string | null;
  readonly device: DeviceClass;
  readonly visitorKey: string;
}

/** A link's targets, ready to be asked. `outcomeOf` null: that destination cannot be sent, and its visitors go to the target's other choices. */
export function targetsOf<T>(targets: readonly LinkTarget[], outcomeOf: (destination: string) => T | null): Target<T>[] {
  return targets.map(({ countries, devices, choices }) => {
    // A destination that stands twice has both weights: two equal draws would give it one.
    const weights = new Map<string, number>();
    for (const { destination, weight } of choices) weights.set(destination, (weights.get(destination) ?? 0) + weight);
    return {
      countries: countries?.length ? new Set(countries.map((code) => code.toUpperCase())) : null,
      devices: devices?.length ? new Set(devices) : null,
      choices: [...weights].flatMap(([destination, weight]) => {
        const outcome = outcomeOf(destination);
        return outcome === null ? [] : [{ seed: mixed(hashOf(destination)), weight, outcome }];
      }),
    };
  });
}

/** What the first target that fits chose. Null: none fits, or nothing of it can be sent. Bots are aimed at by nobody. */
export function aim<T>(targets: readonly Target<T>[], aimed: Aimed): T | null {
  if (aimed.device === 'bot') return null;
  for (const target of targets) if (fits(target, aimed)) return choose(target.choices, aimed.visitorKey);
  return null;
}

const fits = <T>({ countries, devices }: Target<T>, { country, device }: Aimed): boolean =>
  (countries === null || (country !== null && countries.has(country))) && (devices === null || devices.has(device));

/**
 * Weighted rendezvous hashing (Thaler and Ravishankar 1998; the weights as in Efraimidis and Spirakis 2006): each choice draws a number for
 * this visitor, and the smallest -ln(u)/weight wins. A choice that comes, goes or changes its weight moves only the visitors it must; links
 * with the same choices lead a visitor to the same one.
 */
function choose<T>(choices: readonly Choice<T>[], visitorKey: string): T | null {
  if (choices.length < 2) return choices[0]?.outcome ?? null;
  const key = hashOf(visitorKey);
  let best: T | null = null;
  let least = Infinity;
  for (const { seed, weight, outcome } of choices) {
    const draw = -Math.log((mixed(key ^ seed) + 0.5) / 2 ** 32) / weight;
    if (draw < least) {
      least = draw;
      best = outcome;
    }
  }
  return best;
}

/** FNV-1a, 32 bits, over UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** The finaliser of MurmurHash3: FNV alone leaves its high bits to the last few characters. */
function mixed(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
