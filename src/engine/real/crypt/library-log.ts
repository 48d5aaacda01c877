/** What libcryptsetup says goes into the log (system.md §3). */
import { logger, type LogLevel } from "../../../log";
import { native, type LibraryMessageLevel } from "../../../native";
import { HEADER_FOLDERS } from "./header-backup";

const log = logger("stratisd::engine::crypt::library");

const LEVELS: Record<LibraryMessageLevel, LogLevel> = { error: "warn", normal: "info", verbose: "trace" };

/** A header in a file of its own has no data behind it, which is how it should be, and an error for the library. */
const lacksDataOnly = (message: string): boolean =>
  message.includes(HEADER_FOLDERS) && message.includes("too small for activation");

export const levelOf = (level: LibraryMessageLevel, message: string): LogLevel =>
  lacksDataOnly(message) ? "debug" : LEVELS[level];

export function logLibraryMessages(): void {
  native().onLibraryMessage((level, message) => {
    log[levelOf(level, message)](message);
  });
}
