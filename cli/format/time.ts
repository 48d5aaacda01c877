/** Times of day for people (cli.md §11.4). */

// Not from the locale: scripts read these.
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

const twoDigits = (number: number): string => number.toString().padStart(2, "0");

/** "Feb 07 2026 15:33" in the local time zone, for an RFC 3339 time; null when the text is no time. `precise`: with seconds. */
export function formatTime(text: string, precise = false): string | null {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) return null;
  const date = `${MONTHS[time.getMonth()] ?? ""} ${twoDigits(time.getDate())} ${time.getFullYear()}`;
  const seconds = precise ? `:${twoDigits(time.getSeconds())}` : "";
  return `${date} ${twoDigits(time.getHours())}:${twoDigits(time.getMinutes())}${seconds}`;
}
