/**
 * The journal's native protocol: an entry is a datagram of fields. Where the daemon's standard error leads to the
 * journal anyway, its messages go there as entries of their own, with their level and with fields that can be searched
 * for, instead of as lines of text.
 */
import { fstatSync } from "node:fs";
import type { LogLevel } from "../log";
import { native } from "../native";

const SOCKET = Buffer.from("/run/systemd/journal/socket");
const STDERR = 2;
/** What sendDatagram takes. */
const MOST_BYTES = 65_536;

/** syslog's numbers. */
const PRIORITY: Record<LogLevel, number> = { error: 3, warn: 4, info: 6, debug: 7, trace: 7 };

/** Name and value; a name may occur more than once. */
export type Field = readonly [name: string, value: string];

/** A value of more than one line has its length before it, in eight bytes. */
function encodeField([name, value]: Field): Buffer {
  if (!value.includes("\n")) return Buffer.from(`${name}=${value}\n`);
  const bytes = Buffer.from(value);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(bytes.length));
  return Buffer.concat([Buffer.from(`${name}\n`), length, bytes, Buffer.from("\n")]);
}

export const encodeEntry = (fields: readonly Field[]): Buffer => Buffer.concat(fields.map(encodeField));

/** Whether a stream is the journal's: systemd names it by the numbers of its device and inode. */
export function leadsToJournal(env: NodeJS.ProcessEnv, fd = STDERR): boolean {
  const stream = env["JOURNAL_STREAM"];
  if (stream === undefined) return false;
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return stream === `${dev}:${ino}`;
}

/**
 * Writes an entry, with `more` fields. False: the journal did not take it, because it is too long, or the journal is
 * gone or has no room now. The message should go elsewhere then.
 */
export function writeToJournal(
  identifier: string,
  level: LogLevel,
  target: string,
  message: string,
  more: readonly Field[],
  send = (entry: Uint8Array): boolean => native().sendDatagram(SOCKET, entry),
): boolean {
  const entry = encodeEntry([
    ["MESSAGE", message],
    ["PRIORITY", String(PRIORITY[level])],
    ["SYSLOG_IDENTIFIER", identifier],
    ["TARGET", target],
    ...more,
  ]);
  if (entry.length > MOST_BYTES) return false;
  try {
    return send(entry);
  } catch {
    // Why does not matter: the message itself goes to standard error, which is the journal's as well.
    return false;
  }
}
