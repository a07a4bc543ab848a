// Progress goes to standard error: standard output is for results.
export const say = (text) => process.stderr.write(`${text}\n`);

/** Ends the bench with a sentence instead of a stack. */
export function fail(text) {
  throw Object.assign(new Error(text), { isForPeople: true });
}
