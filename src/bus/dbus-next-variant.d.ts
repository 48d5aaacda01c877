/** The only file of dbus-next that is loaded: its index brings all of the package. */
declare module "dbus-next/lib/variant" {
  export { Variant } from "dbus-next";
}
