/** How long to wait for the reply to a call (cli.md §9). */
import { TimeoutVariableError } from "./errors";
import { parseInteger } from "./format/integer";

const VARIABLE = "STRATIS_DBUS_TIMEOUT";
const DEFAULT_MS = 60_000;
const LEAST = -1n;
const GREATEST = 1_073_741_823n;
/** What -1 stands for: the customary timeout of D-Bus libraries. */
const LIBRARY_DEFAULT_MS = 25_000;

/** "60 seconds", "0.5 seconds" */
export const secondsText = (milliseconds: number): string =>
  `${milliseconds / 1000} ${milliseconds === 1000 ? "second" : "seconds"}`;

/** Milliseconds from the environment; 0 means not to wait at all. Throws TimeoutVariableError. */
export function callTimeoutMs(env: Readonly<Record<string, string | undefined>>): number {
  const text = env[VARIABLE];
  if (text === undefined) return DEFAULT_MS;
  const value = parseInteger(text);
  const refused = (reason: string): TimeoutVariableError =>
    new TimeoutVariableError(`Value of ${VARIABLE} invalid: ${reason}`);
  if (value === null) throw refused("The timeout value provided is not an integer.");
  if (value < LEAST)
    throw refused(`The timeout value provided is smaller than the smallest acceptable value, ${LEAST}.`);
  if (value > GREATEST)
    throw refused(`The timeout value provided exceeds the largest acceptable value, ${GREATEST}.`);
  return value === LEAST ? LIBRARY_DEFAULT_MS : Number(value);
}
