/** Values made fit for their D-Bus types before they go out. */
import { inspect } from "node:util";
import { Variant } from "dbus-next/lib/variant";
import { parseSingleType, type SignatureNode } from "../bus/signature";
import { sendableText } from "../bus/text";

export { sendableText } from "../bus/text";

const INTEGER_RANGES: Record<string, readonly [bigint, bigint]> = {
  y: [0n, 0xffn],
  n: [-0x8000n, 0x7fffn],
  q: [0n, 0xffffn],
  i: [-0x80000000n, 0x7fffffffn],
  u: [0n, 0xffffffffn],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
};
const OBJECT_PATH = /^\/$|^(\/[A-Za-z0-9_]+)+$/;
export const isObjectPath = (text: string): boolean => OBJECT_PATH.test(text);

/** `value` as it goes out under `signature`, one complete type. Throws when it does not fit: a defect of ours. */
export function outgoing(signature: string, value: unknown): unknown {
  return fit(parseSingleType(signature), value);
}

function fit(node: SignatureNode, value: unknown): unknown {
  const range = INTEGER_RANGES[node.code];
  if (range !== undefined) return fitInteger(node.code, range, value);
  switch (node.code as string) {
    case "s":
      if (typeof value === "string") return sendableText(value);
      break;
    case "o":
      if (typeof value === "string" && isObjectPath(value)) return value;
      break;
    case "b":
      if (typeof value === "boolean") return value;
      break;
    case "v":
      if (value instanceof Variant) {
        const variant = value as Variant<unknown>;
        return new Variant(variant.signature, outgoing(variant.signature, variant.value));
      }
      break;
    case "(":
      if (Array.isArray(value) && value.length === node.children.length)
        return node.children.map((child, index) => fit(child, value[index]));
      break;
    case "a":
      return fitArray(node, value);
  }
  throw new TypeError(`A value does not fit the D-Bus type ${node.code}: ${describe(value)}`);
}

function fitInteger(code: string, [low, high]: readonly [bigint, bigint], value: unknown): number | bigint {
  const wide = code === "x" || code === "t";
  if (wide ? typeof value === "bigint" : typeof value === "number" && Number.isInteger(value)) {
    const integer = value as number | bigint;
    if (integer >= low && integer <= high) return integer;
  }
  throw new TypeError(`A value does not fit the D-Bus type ${code}: ${describe(value)}`);
}

function fitArray(node: SignatureNode, value: unknown): unknown {
  const [element] = node.children;
  if (element?.code === "{") {
    const [, valueType] = element.children;
    if (valueType !== undefined && typeof value === "object" && value !== null && !Array.isArray(value))
      return Object.fromEntries(
        Object.entries(value).map(([key, entry]) => [sendableText(key), fit(valueType, entry)]),
      );
  } else if (element !== undefined && Array.isArray(value)) return value.map((entry) => fit(element, entry));
  throw new TypeError(`A value does not fit a D-Bus array: ${describe(value)}`);
}

function describe(value: unknown): string {
  return `${typeof value} ${inspect(value, { depth: 0 })}`;
}
