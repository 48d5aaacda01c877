/** Sizes in binary units (cli.md §11.1). */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"] as const;
const LARGEST = UNITS.length - 1;

/**
 * A number of bytes in the largest unit of which there is at least one, with two decimals unless it is a whole number
 * of units. The unit is chosen before rounding (so 1048575 is "1024.00 KiB"); an exact half is rounded towards zero.
 */
export function formatSize(bytes: bigint): string {
  const sign = bytes < 0n ? "-" : "";
  const magnitude = bytes < 0n ? -bytes : bytes;
  let exponent = 0;
  while (exponent < LARGEST && magnitude >= 1024n ** BigInt(exponent + 1)) exponent++;
  const divisor = 1024n ** BigInt(exponent);
  const unit = UNITS[exponent] ?? "";
  const remainder = (100n * magnitude) % divisor;
  const hundredths = (100n * magnitude) / divisor + (2n * remainder > divisor ? 1n : 0n);
  const whole = hundredths / 100n;
  if (remainder === 0n && hundredths % 100n === 0n) return `${sign}${whole} ${unit}`;
  return `${sign}${whole}.${(hundredths % 100n).toString().padStart(2, "0")} ${unit}`;
}

/** What is printed for anything that is not known. */
export const UNKNOWN = "???";

/** formatSize, or "???" for a size that is not known. */
export const formatMaybeSize = (bytes: bigint | undefined): string =>
  bytes === undefined ? UNKNOWN : formatSize(bytes);

/** `total - used`, or undefined when either is not known. */
export const freeOf = (total: bigint | undefined, used: bigint | undefined): bigint | undefined =>
  total === undefined || used === undefined ? undefined : total - used;
