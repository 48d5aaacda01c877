/** What libcryptsetup says goes into the log (system.md §3). */
import { logger, type LogLevel } from "../../../log";
import { native, type LibraryMessageLevel } from "../../../native";

const log = logger("stratisd::engine::crypt::library");

const LEVELS: Record<LibraryMessageLevel, LogLevel> = { error: "warn", normal: "info", verbose: "trace" };

export function logLibraryMessages(): void {
  native().onLibraryMessage((level, message) => {
    log[LEVELS[level]](message);
  });
}
