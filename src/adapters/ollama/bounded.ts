/** Maps with at most `limit` calls under way; results in the order of the input. The first rejection ends it and no further call starts. */
export async function mapBounded<T, R>(items: readonly T[], limit: number, map: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const queue = items.entries();
  let stopped = false;
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (stopped) return;
      results[index] = await map(item);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, work));
  } catch (error) {
    stopped = true;
    throw error;
  }
  return results;
}
