/** Work on devices that do not depend on each other. */

/** Most of the time goes to waiting for udev, which works on some devices at once. */
const AT_ONCE = 8;

/**
 * Runs `work` for every item, for several at once. After a failure no more are begun; it is thrown, the first of them, when
 * those under way have ended.
 */
export async function sideBySide<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    try {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await work(item);
    } catch (error) {
      waiting.length = 0;
      throw error;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: AT_ONCE }, worker));
  for (const worked of ended) if (worked.status === "rejected") throw worked.reason;
}
