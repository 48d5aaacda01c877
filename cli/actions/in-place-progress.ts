/** How far an encryption, re-encryption or decryption in place is. */
import type { ManagedObject } from "../managed-objects";
import { asInteger, asOptional, asText } from "../values";

const KINDS: Readonly<Record<string, string>> = {
  encrypt: "Encryption",
  reencrypt: "Reencryption",
  decrypt: "Decryption",
};
const SECONDS_PER_MINUTE = 60n;
const MINUTES_PER_HOUR = 60n;

export interface InPlaceProgress {
  /** "Encryption" */
  readonly what: string;
  /** Whole percents; null: it has not begun. */
  readonly percent: number | null;
  /** null: it can't be told. */
  readonly secondsLeft: bigint | null;
}

export function progressOf(operation: ManagedObject): InPlaceProgress {
  const kind = operation.get("Kind", asText);
  const [done, total] = ["DoneBytes", "TotalBytes"].map((name) => operation.get(name, asInteger));
  const known = done !== undefined && total !== undefined && total > 0n;
  return {
    what: KINDS[kind] ?? kind,
    percent: known ? Number((done * 100n) / total) : null,
    secondsLeft: operation.maybe("RemainingSeconds", (value) => asOptional(value, asInteger)) ?? null,
  };
}

/** "2 h 5 min" */
function durationText(seconds: bigint): string {
  if (seconds < SECONDS_PER_MINUTE) return `${seconds} s`;
  const minutes = (seconds + SECONDS_PER_MINUTE / 2n) / SECONDS_PER_MINUTE;
  if (minutes < MINUTES_PER_HOUR) return `${minutes} min`;
  return `${minutes / MINUTES_PER_HOUR} h ${minutes % MINUTES_PER_HOUR} min`;
}

/** "35 %, about 12 min left" */
export function progressText({ percent, secondsLeft }: InPlaceProgress): string {
  if (percent === null) return "beginning";
  return `${percent} %${secondsLeft === null ? "" : `, about ${durationText(secondsLeft)} left`}`;
}
