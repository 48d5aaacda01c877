/** Something that the suite needs and that this machine, or the network, does not give. */
export class NotRunError extends Error {
  override name = "NotRunError";
}
