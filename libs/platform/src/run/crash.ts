let wanted: { readonly name: string; readonly pass: number } | null | undefined;
const passes = new Map<string, number>();

/**
 * A named place where the process can be made to die as `kill -9` would: `CRASH_AT=consumer:committed#3` dies at the third pass.
 * Without CRASH_AT it costs a comparison.
 */
export function crashPoint(name: string): void {
  if (wanted === undefined) wanted = readWanted(process.env['CRASH_AT']);
  if (wanted === null || wanted.name !== name) return;
  const pass = (passes.get(name) ?? 0) + 1;
  passes.set(name, pass);
  if (pass !== wanted.pass) return;
  process.kill(process.pid, 'SIGKILL');
  // The signal is on its way: nothing after this point may happen.
  for (;;);
}

function readWanted(text: string | undefined): { name: string; pass: number } | null {
  const match = /^([a-z:-]+)#([1-9]\d*)$/.exec(text ?? '');
  return match ? { name: match[1] as string, pass: Number(match[2]) } : null;
}
