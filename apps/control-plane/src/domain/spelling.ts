import { UTM_VALUE } from '@baton/contracts';

/** "Spring Sale!" gives "spring-sale"; null where nothing of it can be a UTM value. */
export function slugOf(text: string): string | null {
  const slug = text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .slice(0, 64)
    .replace(/^-+|-+$/g, '');
  return UTM_VALUE.test(slug) ? slug : null;
}

/**
 * The word of a vocabulary that was probably meant: the nearest by edit distance (Damerau, adjacent letters swapped count once) once both are
 * written alike. Undefined where none is near: more than a third of the letters, at least two, would have to change.
 */
export function nearestOf(vocabulary: readonly string[], text: string): string | undefined {
  const word = slugOf(text.slice(0, 128));
  if (word === null) return undefined;
  let best: { readonly entry: string; readonly distance: number } | undefined;
  for (const entry of vocabulary) {
    const distance = distanceOf(word, entry);
    if (!best || distance < best.distance) best = { entry, distance };
  }
  return best && best.distance <= Math.max(2, Math.floor(best.entry.length / 3)) ? best.entry : undefined;
}

function distanceOf(a: string, b: string): number {
  let [before, last] = [[] as number[], Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (last[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(change, (last[j] as number) + 1, (row[j - 1] as number) + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) least = Math.min(least, (before[j - 2] as number) + 1);
      row.push(least);
    }
    [before, last] = [last, row];
  }
  return last[b.length] as number;
}
