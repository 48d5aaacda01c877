/** Where the key of a command comes from, and how stratisd gets it: as a descriptor (cli.md §10). */
import { closeSync, openSync } from "node:fs";
import { closeDescriptor } from "../../src/bus/descriptors";
import { native } from "../../src/native";
import type { Context } from "../context";
import { messageOf, UnintendedCommandError } from "../errors";
import { askPassphrase } from "../passphrase";
import type { Values } from "../parser/values";

const MOST_PASSPHRASE_BYTES = 4096;

/** Whether the command line says where to get a key. */
export const wantsKey = (values: Values): boolean =>
  values.has("--keyfile-path") || values.flag("--capture-key");

const isAbsence = (error: unknown): boolean =>
  error instanceof Error && "code" in error && error.code === "ENOENT";

/** The caller closes the descriptor. */
export function openKeyfile(path: string): number {
  try {
    return openSync(path, "r");
  } catch (error) {
    if (isAbsence(error)) throw new UnintendedCommandError(`There is no keyfile at the path "${path}"`);
    throw new UnintendedCommandError(
      `The keyfile at the path "${path}" cannot be opened: ${messageOf(error)}`,
    );
  }
}

async function withFile<T>(path: string, use: (fd: number) => Promise<T>): Promise<T> {
  const fd = openKeyfile(path);
  try {
    return await use(fd);
  } finally {
    closeSync(fd);
  }
}

/**
 * Calls `use` with a descriptor from which stratisd can read the key: the keyfile itself, or a pipe with what the user
 * typed. The writing end of the pipe stays open until `use` is done, because stratisd takes a hang-up behind a key of
 * the greatest length for more of it.
 */
export async function withKey<T>(
  { values, io }: Context,
  { verify }: { verify: boolean },
  use: (fd: number) => Promise<T>,
): Promise<T> {
  const path = values.maybeText("--keyfile-path");
  if (path !== undefined) return await withFile(path, use);
  const passphrase = await askPassphrase(io, { verify, aside: values.flag("--json") });
  if (passphrase.length > MOST_PASSPHRASE_BYTES) {
    passphrase.fill(0);
    throw new UnintendedCommandError(`The passphrase is longer than ${MOST_PASSPHRASE_BYTES} bytes`);
  }
  const { readEnd, writeEnd } = native().pipeWith(passphrase);
  passphrase.fill(0);
  try {
    return await use(readEnd);
  } finally {
    closeDescriptor(readEnd);
    closeDescriptor(writeEnd);
  }
}

/** For an argument that has to be a descriptor although another one says that it does not count. */
export const withoutKey = <T>(use: (fd: number) => Promise<T>): Promise<T> => withFile("/dev/null", use);
