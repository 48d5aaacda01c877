/** Introspection documents read back, strictly: a line that is not understood fails the test. */

export interface XmlNode {
  name: string | null;
  interfaces: Record<string, XmlInterface>;
  nodes: XmlNode[];
}
interface XmlInterface {
  methods: {
    name: string;
    in: { name: string; signature: string }[];
    out: { name: string; signature: string }[];
  }[];
  properties: { name: string; signature: string; access: string; emitsChanged: string }[];
  signals: string[];
}

type Attributes = Record<string, string>;
interface Element {
  tag: string;
  attributes: Attributes;
  children: Element[];
}

const TAG = /<(\/?)([a-z]+)((?: [a-z]+="[^"<>&]*")*)(\/?)>/y;

function parseElements(text: string): Element {
  const top: Element = { tag: "", attributes: {}, children: [] };
  const open = [top];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) {
      at++;
      continue;
    }
    TAG.lastIndex = at;
    const match = TAG.exec(text);
    if (match === null) throw new Error(`Not understood: ${text.slice(at, at + 60)}`);
    at = TAG.lastIndex;
    const [, closing, tag = "", attributeText = "", selfClosing] = match;
    if (closing === "/") {
      if (open.pop()?.tag !== tag) throw new Error(`Closes ${tag}, which is not open`);
      continue;
    }
    const attributes = Object.fromEntries(
      [...attributeText.matchAll(/ ([a-z]+)="([^"]*)"/g)].map(([, key = "", value = ""]) => [key, value]),
    );
    const element = { tag, attributes, children: [] };
    open.at(-1)?.children.push(element);
    if (selfClosing !== "/") open.push(element);
  }
  if (open.length !== 1) throw new Error("An element is not closed");
  return top;
}

const need = (attributes: Attributes, name: string): string => {
  const value = attributes[name];
  if (value === undefined) throw new Error(`No attribute ${name}`);
  return value;
};

function readInterface(element: Element): XmlInterface {
  const result: XmlInterface = { methods: [], properties: [], signals: [] };
  for (const { tag, attributes, children } of element.children) {
    const args = (direction: string) =>
      children
        .filter((child) => child.attributes.direction === direction)
        .map((child) => ({ name: child.attributes.name ?? "", signature: need(child.attributes, "type") }));
    const name = need(attributes, "name");
    if (tag === "method") result.methods.push({ name, in: args("in"), out: args("out") });
    else if (tag === "signal") result.signals.push(name);
    else
      result.properties.push({
        name,
        signature: need(attributes, "type"),
        access: need(attributes, "access"),
        emitsChanged: children[0]?.attributes.value ?? "true",
      });
  }
  return result;
}

function readNode(element: Element): XmlNode {
  const node: XmlNode = { name: element.attributes.name ?? null, interfaces: {}, nodes: [] };
  for (const child of element.children) {
    if (child.tag === "node") node.nodes.push(readNode(child));
    else node.interfaces[need(child.attributes, "name")] = readInterface(child);
  }
  return node;
}

export function parseIntrospection(document: string): XmlNode {
  const end = document.indexOf(">");
  if (!document.startsWith("<!DOCTYPE node PUBLIC")) throw new Error("No document type");
  const [root] = parseElements(document.slice(end + 1)).children;
  if (root?.tag !== "node") throw new Error("No root node");
  return readNode(root);
}
