import { writeFileSync } from "node:fs";
import { stratis } from "../../tests/vm/cases/support";

const KEY_FILE = "/run/stratis-bench-key";
/** The description of the key that encrypts pools. */
export const KEY = "bench";

/** The daemon that runs has the key while `work` is done. */
export async function withKey<T>(work: () => Promise<T>): Promise<T> {
  writeFileSync(KEY_FILE, "a key for measurements");
  await stratis("key", "set", "--keyfile-path", KEY_FILE, KEY);
  const result = await work();
  await stratis("key", "unset", KEY);
  return result;
}
