/** Introspection data (dbus-api.md §2.3): a node with its interfaces, and all nodes below it nested in full. */
import { interfacesOf } from "./interfaces";
import { BASE_PATH, INTROSPECTABLE, OBJECT_MANAGER, PEER, PROPERTIES } from "./names";
import type { DerivedInterface } from "./table/derive";
import type { Entry, ObjectTree } from "./tree";
import type { Argument } from "./wire";

const DOCTYPE =
  '<!DOCTYPE node PUBLIC "-//freedesktop//DTD D-BUS Object Introspection 1.0//EN"\n' +
  ' "http://www.freedesktop.org/standards/dbus/1.0/introspect.dtd">\n';
const INDENT = "  ";
/**
 * Message buses limit messages to 32 MiB or more. Nodes below are nested up to this much text, and beyond it only
 * named, which leaves clients to introspect each of them.
 */
const MAX_NESTED_LENGTH = 16 * 1024 * 1024;

type Direction = "in" | "out" | null;

function argumentLine({ name, signature }: Argument, direction: Direction): string {
  const attributes = [
    ...(name === "" ? [] : [`name="${name}"`]),
    `type="${signature}"`,
    ...(direction === null ? [] : [`direction="${direction}"`]),
  ];
  return `<arg ${attributes.join(" ")}/>`;
}

const indented = (lines: readonly string[]): string[] => lines.map((line) => INDENT + line);

function element(tag: string, name: string, content: readonly string[]): string[] {
  if (content.length === 0) return [`<${tag} name="${name}">`, `</${tag}>`];
  return [`<${tag} name="${name}">`, ...indented(content), `</${tag}>`];
}

function methodLines(name: string, args: readonly Argument[], results: readonly Argument[]): string[] {
  return element("method", name, [
    ...args.map((argument) => argumentLine(argument, "in")),
    ...results.map((argument) => argumentLine(argument, "out")),
  ]);
}

function interfaceLines(derived: DerivedInterface): string[] {
  const methods = [...derived.methods.values()].flatMap((method) =>
    methodLines(method.name, method.in, method.out),
  );
  const properties = [...derived.properties.values()].flatMap((property) => {
    const opening = `<property name="${property.name}" type="${property.signature}" access="${property.access}"`;
    // Announced with its value is what a property without annotation is.
    if (property.emits === "true") return [`${opening}/>`];
    const annotation = `<annotation name="org.freedesktop.DBus.Property.EmitsChangedSignal" value="${property.emits}"/>`;
    return [`${opening}>`, INDENT + annotation, "</property>"];
  });
  return element("interface", derived.name, [...methods, ...properties]);
}

const arg = (name: string, signature: string): Argument => ({ name, signature });
const signalLines = (name: string, args: readonly Argument[]): string[] =>
  element(
    "signal",
    name,
    args.map((argument) => argumentLine(argument, null)),
  );

const STANDARD: Record<string, readonly string[]> = {
  [INTROSPECTABLE]: element("interface", INTROSPECTABLE, methodLines("Introspect", [], [arg("", "s")])),
  [OBJECT_MANAGER]: element("interface", OBJECT_MANAGER, [
    ...methodLines("GetManagedObjects", [], [arg("", "a{oa{sa{sv}}}")]),
    ...signalLines("InterfacesAdded", [
      arg("object_path", "o"),
      arg("interfaces_and_properties", "a{sa{sv}}"),
    ]),
    ...signalLines("InterfacesRemoved", [arg("object_path", "o"), arg("interfaces", "as")]),
  ]),
  [PEER]: element("interface", PEER, [
    ...methodLines("GetMachineId", [], [arg("", "s")]),
    ...methodLines("Ping", [], []),
  ]),
  [PROPERTIES]: element("interface", PROPERTIES, [
    ...methodLines("Get", [arg("interface_name", "s"), arg("property_name", "s")], [arg("", "v")]),
    ...methodLines("GetAll", [arg("interface_name", "s")], [arg("", "a{sv}")]),
    ...methodLines("Set", [arg("interface_name", "s"), arg("property_name", "s"), arg("value", "v")], []),
    ...signalLines("PropertiesChanged", [
      arg("interface_name", "s"),
      arg("changed_properties", "a{sv}"),
      arg("invalidated_properties", "as"),
    ]),
  ]),
};

/** The standard interfaces of a node; only the base path manages objects. */
export const standardInterfaces = (path: string): readonly string[] =>
  path === BASE_PATH
    ? [INTROSPECTABLE, OBJECT_MANAGER, PEER, PROPERTIES]
    : [INTROSPECTABLE, PEER, PROPERTIES];

/** Interfaces sorted by name, without the node's own indentation. The table never changes, so once per kind. */
const cache = new Map<string, readonly string[]>();
function nodeContent(path: string, entry: Entry | undefined): readonly string[] {
  const key = entry?.kind ?? "";
  let lines = cache.get(key);
  if (lines === undefined) {
    const byName = new Map<string, readonly string[]>();
    for (const name of standardInterfaces(path)) byName.set(name, STANDARD[name] ?? []);
    if (entry !== undefined)
      for (const derived of interfacesOf(entry)) byName.set(derived.name, interfaceLines(derived));
    lines = [...byName.keys()].sort().flatMap((name) => byName.get(name) ?? []);
    cache.set(key, lines);
  }
  return lines;
}

const lastName = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

function managedNodes(tree: ObjectTree): string[] {
  const entries = tree.managed();
  const full: string[] = [];
  let length = 0;
  for (const entry of entries) {
    const node = element("node", lastName(entry.path), nodeContent(entry.path, entry));
    length += node.reduce((sum, line) => sum + line.length, 0);
    if (length > MAX_NESTED_LENGTH) return entries.map(({ path }) => `<node name="${lastName(path)}"/>`);
    full.push(...node);
  }
  return full;
}

/** Nodes above the base path, outermost first: "/", "/org", "/org/storage". */
export const ANCESTORS: readonly string[] = BASE_PATH.split("/")
  .map((_, depth, names) => (depth === 0 ? "/" : names.slice(0, depth + 1).join("/")))
  .slice(0, -1);

/** The lines within the element of the node at `path`. */
function linesWithin(tree: ObjectTree, path: string): string[] {
  const depth = ANCESTORS.indexOf(path);
  if (depth !== -1) {
    const child = ANCESTORS[depth + 1] ?? BASE_PATH;
    return [...nodeContent(path, undefined), ...element("node", lastName(child), linesWithin(tree, child))];
  }
  const content = nodeContent(path, tree.at(path));
  return path === BASE_PATH ? [...content, ...managedNodes(tree)] : [...content];
}

/** The introspection document of a node that exists. */
export const introspect = (tree: ObjectTree, path: string): string =>
  `${DOCTYPE}${["<node>", ...indented(linesWithin(tree, path)), "</node>"].join("\n")}\n`;
