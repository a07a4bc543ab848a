/**
 * A spool is a folder of segments. A segment's name is the logical offset of its first byte, so that a position in the spool is one number:
 * `0000000000000000.seg`. A segment only grows; it is sealed once a later one exists.
 */
const NAME = /^(\d{16})\.seg$/;
const DAMAGED = /^(\d{16})\.damaged$/;

export const segmentName = (base: number): string => `${String(base).padStart(16, '0')}.seg`;
/** Kept for a look by people: some of its records could not be read. */
export const damagedName = (name: string): string => name.replace(/\.seg$/, '.damaged');

/** Bases of the segments in a folder, oldest first. */
export const segmentBases = (names: readonly string[]): number[] => basesOf(names, NAME);
/** Bases of the segments that are kept for a look. */
export const damagedBases = (names: readonly string[]): number[] => basesOf(names, DAMAGED);

const basesOf = (names: readonly string[], pattern: RegExp): number[] =>
  names
    .flatMap((name) => {
      const match = pattern.exec(name);
      return match ? [Number(match[1])] : [];
    })
    .sort((a, b) => a - b);
