/**
 * Waits until `check` neither throws nor returns false, and gives what it returned. Fails after `deadlineMs` with the last reason.
 * For tests: instead of sleeping.
 */
export async function eventually<T>(check: () => T | Promise<T>, deadlineMs = 10_000, everyMs = 25): Promise<T> {
  const end = Date.now() + deadlineMs;
  let last: unknown;
  do {
    try {
      const result = await check();
      if (result !== false) return result;
      last = new Error('the check returned false');
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  } while (Date.now() < end);
  throw new Error(`not so within ${deadlineMs} ms: ${last instanceof Error ? last.message : String(last)}`, { cause: last });
}
