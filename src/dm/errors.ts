/** A table or status line of a device-mapper target is not of the form that its kernel documentation gives. */
export class DmFormatError extends Error {
  override name = "DmFormatError";
}
