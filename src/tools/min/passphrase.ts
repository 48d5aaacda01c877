/** Keys on their way to stratisd-min: a descriptor, never a text (system.md §19.2). */
import { closeSync, openSync } from "node:fs";
import { Lines } from "../../../cli/lines";
import { unseen } from "../../../cli/passphrase";
import { closeDescriptor } from "../../bus/descriptors";
import { ioErrorText } from "../../jsonrpc/client";
import { native } from "../../native";
import { ToolError, type Output } from "../tool";

const MOST_BYTES = 4096;

/** The caller wipes what it gets. */
async function ask(output: Output, verify: boolean): Promise<Buffer> {
  const lines = new Lines(process.stdin);
  const next = async (prompt: string): Promise<Buffer> => {
    output.out(prompt);
    return await lines.next();
  };
  const asked = async (): Promise<Buffer> => {
    const passphrase = await next("Enter passphrase followed by return: ");
    if (verify) {
      const again = await next("Verify passphrase: ");
      const same = passphrase.equals(again);
      again.fill(0);
      if (!same) {
        passphrase.fill(0);
        throw new ToolError("Passphrases did not match");
      }
    }
    return passphrase;
  };
  try {
    return await unseen(asked);
  } finally {
    lines.release();
  }
}

/** Calls `use` with the reading end of a pipe that holds what the user typed, with its writing end open until then. */
export async function withPassphrase<T>(
  output: Output,
  { verify }: { verify: boolean },
  use: (fd: number) => Promise<T>,
): Promise<T> {
  const passphrase = await ask(output, verify);
  try {
    if (passphrase.length === 0) throw new ToolError("Password provided was empty");
    if (passphrase.length > MOST_BYTES)
      throw new ToolError(`Password provided has more than ${MOST_BYTES} bytes`);
    const { readEnd, writeEnd } = native().pipeWith(passphrase);
    try {
      return await use(readEnd);
    } finally {
      closeDescriptor(readEnd);
      closeDescriptor(writeEnd);
    }
  } finally {
    passphrase.fill(0);
  }
}

/** Calls `use` with the file itself, unread. */
export async function withKeyfile<T>(path: string, use: (fd: number) => Promise<T>): Promise<T> {
  let fd: number;
  try {
    fd = openSync(path, "r");
  } catch (error) {
    throw new ToolError(ioErrorText(error as NodeJS.ErrnoException), { cause: error });
  }
  try {
    return await use(fd);
  } finally {
    closeSync(fd);
  }
}
