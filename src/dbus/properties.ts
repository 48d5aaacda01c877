/** Reading properties: one value at a time, an interface, or a whole object. */
import { Variant } from "dbus-next/lib/variant";
import { errorText } from "../engine/errors";
import type { ServiceContext } from "./context";
import { interfacesOf } from "./interfaces";
import { outgoing } from "./signature";
import type { DerivedInterface, DerivedProperty } from "./table/derive";
import type { Kind } from "./names";
import { targetOf, type AnyTarget } from "./targets";
import type { Entry } from "./tree";
import type { AnyVariant } from "./wire";

type Values = Pick<ServiceContext, "engine" | "tree" | "announcer" | "log">;
export type PropertyValues = Record<string, AnyVariant>;

/**
 * A property's value, ready to be sent. A property declared v goes out in one layer: its value is the variant itself
 * (dbus-api.md §3). Throws when the value is unobtainable.
 */
export function readProperty(
  context: Values,
  target: AnyTarget,
  property: DerivedProperty<Kind>,
): AnyVariant {
  const value = property.row.get(target, context);
  if (property.signature === "v") return outgoing("v", value) as AnyVariant;
  return new Variant<unknown>(property.signature, outgoing(property.signature, value));
}

/** Reads each row of the table at most once, for revisions share them; undefined stands for an unobtainable value. */
function cachedReader(
  context: Values,
  entry: Entry,
): (property: DerivedProperty<Kind>) => AnyVariant | undefined {
  let target: AnyTarget;
  try {
    target = targetOf(context, entry);
  } catch (error) {
    context.log.debug(`Leaving out the properties of ${entry.path}: ${errorText(error)}`);
    return () => undefined;
  }
  const cache = new Map<unknown, AnyVariant | undefined>();
  return (property) => {
    if (!cache.has(property.row)) {
      let value: AnyVariant | undefined;
      try {
        value = readProperty(context, target, property);
      } catch (error) {
        context.log.warn(`Leaving out property ${property.name} of ${entry.path}: ${errorText(error)}`);
      }
      cache.set(property.row, value);
    }
    return cache.get(property.row);
  };
}

function valuesOf(
  derived: DerivedInterface,
  read: (property: DerivedProperty<Kind>) => AnyVariant | undefined,
): PropertyValues {
  const values: PropertyValues = {};
  for (const property of derived.properties.values()) {
    const value = read(property);
    if (value !== undefined) values[property.name] = value;
  }
  return values;
}

/** All obtainable properties of one interface. */
export const readAll = (context: Values, entry: Entry, derived: DerivedInterface): PropertyValues =>
  valuesOf(derived, cachedReader(context, entry));

/** All obtainable properties of all interfaces of an object. */
export function readObject(context: Values, entry: Entry): Record<string, PropertyValues> {
  const read = cachedReader(context, entry);
  return Object.fromEntries(interfacesOf(entry).map((derived) => [derived.name, valuesOf(derived, read)]));
}
