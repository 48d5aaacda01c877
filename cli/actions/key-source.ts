/** Where the key of a command comes from (cli.md §10), as far as this client can follow. */
import { open } from "node:fs/promises";
import { messageOf, UnintendedCommandError, UnsupportedError } from "../errors";
import type { Values } from "../parser/values";

/** Whether the command line says where to get a key. */
export const wantsKey = (values: Values): boolean =>
  values.has("--keyfile-path") || values.flag("--capture-key");

const isAbsence = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/**
 * Makes sure that the keyfile, if any, can be opened, then throws in every case: the descriptor that stratisd wants
 * cannot be sent.
 */
export async function refuseKey(values: Values): Promise<never> {
  const path = values.maybeText("--keyfile-path");
  if (path !== undefined) {
    try {
      await (await open(path, "r")).close();
    } catch (error) {
      if (isAbsence(error)) throw new UnintendedCommandError(`There is no keyfile at the path "${path}"`);
      throw new UnintendedCommandError(
        `The keyfile at the path "${path}" cannot be opened: ${messageOf(error)}`,
      );
    }
  }
  throw new UnsupportedError("passing a key to stratisd is not supported yet by this client");
}
