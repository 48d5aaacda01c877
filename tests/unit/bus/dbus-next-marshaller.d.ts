/** dbus-next's own encoder, whose bytes ours are compared with; the package has no types for it. */
declare module "dbus-next/lib/marshall-compat" {
  /** Bytes and the descriptors that belong to them; changes its argument. */
  export function marshallMessage(message: object): [Buffer, number[]];
}
