/** Points in time on the command line: of the history, which stratis-cli has not. */
import { ValueError } from "./grammar";

const SECONDS_OF_UNIT: Readonly<Record<string, number>> = {
  s: 1,
  min: 60,
  h: 3600,
  d: 24 * 3600,
  w: 7 * 24 * 3600,
};

const DATE = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/;

function startOfDay(now: Date, daysBack: number): number {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysBack).getTime();
}

/** null for a date that the calendar does not have. */
function atDate(word: string, parts: readonly (string | undefined)[]): number | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  const local = new Date(year, month - 1, day, hour, minute, second);
  const isReal =
    local.getMonth() === month - 1 && local.getDate() === day && hour < 24 && minute < 60 && second < 60;
  if (!isReal) return null;
  return parts[7] === undefined ? local.getTime() : Date.parse(word.replace(" ", "T"));
}

function momentOf(word: string, now: Date): number | null {
  const [, amount = "", unit = ""] = /^(\d{1,9})(s|min|h|d|w)$/.exec(word) ?? [];
  const seconds = SECONDS_OF_UNIT[unit];
  if (seconds !== undefined) return now.getTime() - Number(amount) * seconds * 1000;
  if (word === "now") return now.getTime();
  if (word === "today") return startOfDay(now, 0);
  if (word === "yesterday") return startOfDay(now, 1);
  const parts = DATE.exec(word);
  return parts === null ? null : atDate(word, parts);
}

/** Milliseconds since 1970. Throws ValueError. */
export function moment(word: string, now = new Date()): bigint {
  const found = momentOf(word, now);
  if (found === null || Number.isNaN(found))
    throw new ValueError(
      `invalid time: '${word}' (write how long ago it was, with one of the units s, min, h, d and w, such as 2h; today, ` +
        "yesterday or now; or a date with or without a time, such as 2026-11-28 or '2026-11-28 09:30')",
    );
  return BigInt(Math.trunc(found));
}
