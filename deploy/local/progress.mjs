// What a person sees while things start. Everything goes to standard error, so that `--json` output stays clean.
const isTty = process.stderr.isTTY;
const paint = (code, text) => (isTty && !process.env.NO_COLOR ? `\x1b[${code}m${text}\x1b[0m` : text);

export const say = (text) => process.stderr.write(`${text}\n`);
export const dim = (text) => paint(2, text);
export const bold = (text) => paint(1, text);
export const green = (text) => paint(32, text);
export const red = (text) => paint(31, text);

/** An error that says all a person needs: no stack is shown. */
export class Trouble extends Error {}

/** Runs one step and says how long it took; a slow one says every 10 s that it is still at work. */
export async function step(name, work) {
  const started = Date.now();
  say(`${dim('…')} ${name}`);
  const still = setInterval(() => say(`${dim('…')} ${name}: ${Math.round((Date.now() - started) / 1000)} s so far`), 10_000);
  try {
    const result = await work();
    const note = typeof result === 'string' ? `: ${result}` : '';
    say(`${green('✓')} ${name}${note} ${dim(`(${((Date.now() - started) / 1000).toFixed(1)} s)`)}`);
    return result;
  } catch (error) {
    say(`${red('✗')} ${name}`);
    throw error;
  } finally {
    clearInterval(still);
  }
}

/** For the outermost call of a command: shows a Trouble as a sentence, anything else with its stack. */
export function failWith(error) {
  say(error instanceof Trouble ? `\n${red('Stopped:')} ${error.message}` : `\n${error?.stack ?? error}`);
  process.exitCode = 1;
}
