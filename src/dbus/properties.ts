/** Reading one property for a client that asks for it. */
import { Variant } from "dbus-next/lib/variant";
import type { ServiceContext } from "./context";
import { outgoing } from "./signature";
import type { DerivedProperty } from "./table/derive";
import type { Kind } from "./names";
import type { AnyTarget } from "./targets";
import type { AnyVariant } from "./wire";

/**
 * A property's value, ready to be sent. A property declared v goes out in one layer: its value is the variant itself
 * (dbus-api.md §3). Throws when the value is unobtainable.
 */
export function readProperty(
  context: ServiceContext,
  target: AnyTarget,
  property: DerivedProperty<Kind>,
): AnyVariant {
  const value = property.row.get(target, context);
  if (property.signature === "v") return outgoing("v", value) as AnyVariant;
  return new Variant<unknown>(property.signature, outgoing(property.signature, value));
}
