/** The class of variants alone; the package's main module would load far more. It has no types for it. */
declare module "dbus-next/lib/variant" {
  export { Variant } from "dbus-next";
}
