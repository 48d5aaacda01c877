/** Limits of the D-Bus specification ("Message Format", "Marshaling"). */
export const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
export const MAX_ARRAY_BYTES = 64 * 1024 * 1024;
/** Of containers, variants included. */
export const MAX_DEPTH = 64;

/**
 * What a message bus lets through unless its configuration says otherwise (dbus-daemon's max_message_size). It hangs up
 * on whoever sends more.
 */
export const MAX_BUS_MESSAGE_BYTES = 32 * 1024 * 1024;

/** Values that would make a longer message than there may be. */
export class TooLong extends TypeError {
  override name = "TooLong";
}

export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}
