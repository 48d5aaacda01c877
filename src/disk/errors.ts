/**
 * Bytes on a device, or JSON made from them, are not what the on-disk format says they must be.
 *
 * The message says what was read, where, and which rule it breaks. Every parser of this folder throws this and
 * nothing else, whatever its input.
 */
export class DiskFormatError extends Error {
  override name = "DiskFormatError";
}

/** The text of anything that was thrown, for messages that pass a cause on. */
export const causeText = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
