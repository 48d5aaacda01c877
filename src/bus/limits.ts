/** Limits of the D-Bus specification ("Message Format", "Marshaling"). */
export const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
export const MAX_ARRAY_BYTES = 64 * 1024 * 1024;
/** Of containers, variants included. */
export const MAX_DEPTH = 64;

export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}
