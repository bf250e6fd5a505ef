/** Work of many side by side, where a platform lets only so many requests of an invocation wait for their answers. */

/** @returns how each has ended, in their order: none keeps the others from theirs */
export async function sideBySide<Item, Result>(
  items: readonly Item[],
  most: number,
  work: (item: Item) => Promise<Result>,
): Promise<PromiseSettledResult<Result>[]> {
  const results: PromiseSettledResult<Result>[] = [];
  const rest = [...items.entries()];
  const workOff = async () => {
    for (let next = rest.shift(); next; next = rest.shift()) {
      const [place, item] = next;
      const [result] = await Promise.allSettled([work(item)]);
      results[place] = result;
    }
  };
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, workOff));
  return results;
}
