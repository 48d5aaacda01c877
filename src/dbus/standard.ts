/** Peer, Introspectable, Properties and ObjectManager (dbus-api.md §2.3, §4.3, §11.4). */
import { readFile } from "node:fs/promises";
import type { Variant } from "dbus-next/lib/variant";
import type { MarshalledElements } from "../bus/writer";
import { errorText } from "../engine/errors";
import { DONE, UNCHANGED } from "../history/record";
import type { ServiceContext } from "./context";
import { announceActions, requireSignature, type IncomingCall, type Reply } from "./call";
import { DbusError, failed, refused, unknownInterface, unknownMethod, unknownProperty } from "./errors";
import { findInterface } from "./interfaces";
import { introspect, standardInterfaces } from "./introspect";
import { INTROSPECTABLE, OBJECT_MANAGER, PROPERTIES, type Kind } from "./names";
import { marshalInterface, marshalObject } from "./marshalled";
import { readProperty } from "./properties";
import type { DerivedInterface, DerivedProperty } from "./table/derive";
import { GoneError, targetOf, type AnyTarget } from "./targets";
import type { Entry } from "./tree";
import type { AnyVariant } from "./wire";

const NOTHING: Reply = { signature: "", body: [] };

const MACHINE_ID_FILES = ["/var/lib/dbus/machine-id", "/etc/machine-id"];

async function machineId(): Promise<string> {
  const failures: string[] = [];
  for (const file of MACHINE_ID_FILES) {
    try {
      return (await readFile(file, "utf8")).trim();
    } catch (error) {
      failures.push(errorText(error));
    }
  }
  throw failed(`Could not read the machine ID: ${failures.join("; ")}`);
}

/** Answers on any path, whether there is an object or not. */
export async function callPeer(call: IncomingCall): Promise<Reply> {
  switch (call.member) {
    case "Ping":
      return NOTHING;
    case "GetMachineId":
      return { signature: "s", body: [await machineId()] };
    default:
      throw unknownMethod(call.member);
  }
}

/** `entry` is undefined on the nodes above the base path. */
export async function callStandard(
  service: ServiceContext,
  entry: Entry | undefined,
  call: IncomingCall,
): Promise<Reply> {
  switch (`${call.interface ?? ""}.${call.member}`) {
    case `${INTROSPECTABLE}.Introspect`:
      return { signature: "s", body: [introspect(service.tree, call.path)] };
    case `${OBJECT_MANAGER}.GetManagedObjects`:
      return { signature: "a{oa{sa{sv}}}", body: [managedObjects(service)] };
    case `${PROPERTIES}.Get`: {
      requireSignature(call, "ss");
      const [name, property] = call.body as [string, string];
      return { signature: "v", body: [get(service, entry, call.path, name, property)] };
    }
    case `${PROPERTIES}.GetAll`: {
      requireSignature(call, "s");
      const [name] = call.body as [string];
      return { signature: "a{sv}", body: [getAll(service, entry, call.path, name)] };
    }
    case `${PROPERTIES}.Set`: {
      requireSignature(call, "ssv");
      const [name, property, value] = call.body as [string, string, AnyVariant];
      const changed = await set(service, entry, call.path, name, property, value);
      return { ...NOTHING, outcome: changed ? DONE : UNCHANGED };
    }
    default:
      throw unknownMethod(call.member);
  }
}

/** One consistent picture: nothing else runs while it is put together. */
const managedObjects = (service: ServiceContext): Record<string, MarshalledElements> =>
  Object.fromEntries(
    service.tree.managed().map((entry) => [entry.path, marshalObject(service, entry).together]),
  );

/** null for a standard interface, which has no properties. Throws DbusError for one that the object lacks. */
function propertyInterface(entry: Entry | undefined, path: string, name: string): DerivedInterface | null {
  if (standardInterfaces(path).includes(name)) return null;
  const derived = entry === undefined ? undefined : findInterface(entry, name);
  if (derived === undefined) throw unknownInterface(name);
  return derived;
}

/** The target of a property, or the D-Bus error that says what is gone. */
function propertyTarget(service: ServiceContext, entry: Entry): AnyTarget {
  try {
    return targetOf(service, entry);
  } catch (error) {
    throw error instanceof GoneError ? failed(error.propertyText) : error;
  }
}

function get(
  service: ServiceContext,
  entry: Entry | undefined,
  path: string,
  name: string,
  member: string,
): Variant<unknown> {
  const property = propertyInterface(entry, path, name)?.properties.get(member);
  if (entry === undefined || property === undefined) throw unknownProperty(member);
  const target = propertyTarget(service, entry);
  try {
    return readProperty(service, target, property);
  } catch (error) {
    if (error instanceof DbusError) throw error;
    service.log.warn(`Could not obtain property ${name}.${member} of ${path}: ${errorText(error)}`);
    throw failed(`Could not obtain property ${member}: ${errorText(error)}`);
  }
}

function getAll(
  service: ServiceContext,
  entry: Entry | undefined,
  path: string,
  name: string,
): MarshalledElements | Record<string, never> {
  const derived = propertyInterface(entry, path, name);
  return entry === undefined || derived === null ? {} : marshalInterface(service, entry, derived);
}

async function set(
  service: ServiceContext,
  entry: Entry | undefined,
  path: string,
  name: string,
  member: string,
  value: AnyVariant,
): Promise<boolean> {
  const derived = propertyInterface(entry, path, name);
  const property = derived?.properties.get(member);
  if (entry === undefined || property?.access !== "readwrite" || derived === null)
    throw unknownProperty(member);
  if (value.signature !== property.signature)
    throw refused(
      `incorrect type: property ${member} is of type ${property.signature}, not ${value.signature}`,
    );
  return assign(service, entry, derived, property, value.value);
}

/**
 * Sets a property and announces it: on all revisions if it changed, and otherwise only on the interface that was
 * addressed, where clients expect a signal in any case. Resolves to whether it changed.
 */
async function assign(
  service: ServiceContext,
  entry: Entry,
  derived: DerivedInterface,
  property: DerivedProperty<Kind>,
  value: unknown,
): Promise<boolean> {
  const row = property.row;
  const where = `${derived.name}.${property.name} of ${entry.path}`;
  if (row.set === undefined) throw new Error(`The interface table does not say how to set ${where}`);
  const target = propertyTarget(service, entry);
  let changed: boolean;
  try {
    changed = await row.set(target, value, service);
  } catch (error) {
    service.log.warn(`Setting ${where} failed: ${errorText(error)}`);
    announceActions(service, entry);
    throw refused(errorText(error));
  }
  service.log.info(`Set ${where}: ${changed ? "done" : "nothing to do"}`);
  service.announcer.propertiesChanged(entry, [property.name], changed ? undefined : derived);
  announceActions(service, entry);
  return changed;
}
