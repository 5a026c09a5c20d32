/**
 * Waits for questions, or for `failed`, with whose reason those without an answer reject. Before Node.js 26 a race with `failed` would keep every
 * answer for as long as that is pending, since what is chained to a promise stays until it settles.
 */
export function untilFailed(failed: Promise<never>): <T>(question: Promise<T>) => Promise<T> {
  const waiting = new Set<(error: unknown) => void>();
  let failure: { error: unknown } | undefined;
  failed.catch((error: unknown) => {
    failure = { error };
    for (const refuse of waiting) refuse(error);
  });
  return async (question) => {
    let refuse: (error: unknown) => void = () => undefined;
    const refused = new Promise<never>((_, reject) => {
      refuse = reject;
    });
    if (failure !== undefined) refuse(failure.error);
    waiting.add(refuse);
    try {
      return await Promise.race([question, refused]);
    } finally {
      waiting.delete(refuse);
    }
  };
}
