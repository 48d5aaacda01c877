/** UUIDs: 32 lower-case hexadecimal digits on D-Bus and inside this program, hyphenated for people. */

/** The form 8-4-4-4-12 of 32 digits. */
export const hyphenated = (digits: string): string =>
  [
    digits.slice(0, 8),
    digits.slice(8, 12),
    digits.slice(12, 16),
    digits.slice(16, 20),
    digits.slice(20),
  ].join("-");

/**
 * The 32 digits of a UUID as a user may write it, or null (cli.md §4.4): "urn:" and "uuid:" are dropped, braces at the
 * ends and hyphens anywhere as well, in any case.
 */
export function parseUuid(text: string): string | null {
  const digits = text
    .replaceAll("urn:", "")
    .replaceAll("uuid:", "")
    .replace(/^[{}]+|[{}]+$/g, "")
    .replaceAll("-", "")
    .toLowerCase();
  return /^[0-9a-f]{32}$/.test(digits) ? digits : null;
}
