/** Runs the command on a pseudo-terminal. */
import { commandLine } from "../../../cli/hints/shell";
import { runLineOnTerminal, type Shown, type Typed } from "../../support/terminal";
import { COMMAND } from "./run";

export type { Shown };

/** `typed` is there before the command asks, unless it is to wait for something. */
export const runOnTerminal = (
  address: string,
  words: readonly string[],
  typed: string | readonly Typed[] = "",
  env: Record<string, string> = {},
): Promise<Shown> =>
  // In place of the shell, which would be interrupted too.
  runLineOnTerminal(`exec ${commandLine(process.execPath, COMMAND, ...words)}`, {
    typed,
    env: { DBUS_SYSTEM_BUS_ADDRESS: address, ...env },
  });
