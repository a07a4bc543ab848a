// Rounds, medians and ratios: what makes two figures of one run comparable.
import { say } from './say.mjs';

/** Each contestant in turn, round by round, every second round in the opposite order. Gives every contestant's samples, in rounds. */
export async function inTurns(rounds, contestants) {
  const samples = Object.fromEntries(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    const names = Object.keys(contestants);
    if (round % 2 === 1) names.reverse();
    for (const name of names) {
      const sample = await contestants[name]();
      samples[name].push(sample);
      say(`  round ${round + 1} of ${rounds}, ${name}: ${sample.text}`);
    }
  }
  return samples;
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * One result. The ratio is the median of the rounds' own ratios, since a machine that slows down slows both of a round. `better: 'lower'`
 * (a cost) turns the ratio round, so that a higher ratio is always the better one. `atLeast` or `atMost` is the aim; without either there
 * is none and no verdict.
 */
export function compare({ name, unit, ours, reference, better = 'higher', atLeast, atMost }) {
  const ratios = ours.map((value, i) => (better === 'lower' ? reference[i] / value : value / reference[i])).filter(Number.isFinite);
  const ratio = ratios.length > 0 ? median(ratios) : null;
  const aim = atLeast ?? atMost ?? null;
  return {
    case: name,
    unit,
    ours: rounded(median(ours)),
    reference: rounded(median(reference)),
    ratio: rounded(ratio),
    ratioLowest: ratios.length > 0 ? rounded(Math.min(...ratios)) : null,
    ratioHighest: ratios.length > 0 ? rounded(Math.max(...ratios)) : null,
    aim,
    ...(aim === null ? {} : { aimIs: atLeast === undefined ? 'at most' : 'at least' }),
    verdict: aim === null || ratio === null ? null : (atLeast === undefined ? ratio <= aim : ratio >= aim) ? 'PASS' : 'MISS',
    rounds: ours.length,
  };
}

/** One figure against a bound of its own: memory that stays flat, a backlog that is gone in time. */
export const bounded = ({ name, unit, value, atMost }) => ({
  case: name,
  unit,
  ours: rounded(value),
  reference: null,
  ratio: null,
  aim: atMost ?? null,
  ...(atMost === undefined ? {} : { aimIs: 'at most' }),
  verdict: atMost === undefined ? null : value <= atMost ? 'PASS' : 'MISS',
  rounds: 1,
});

/** Three digits that mean something. */
export const rounded = (number) =>
  number === null ? null : Number(number.toPrecision(Math.max(3, Math.ceil(Math.log10(Math.abs(number) + 1)))));
