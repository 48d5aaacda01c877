/** Values as the bytes of a message, little-endian. What does not fit its type is refused. */
import { inspect } from "node:util";
import { Variant } from "dbus-next/lib/variant";
import { MAX_ARRAY_BYTES, MAX_DEPTH, MAX_MESSAGE_BYTES } from "./limits";
import { alignmentOf, parseSignature, parseSingleType, type SignatureNode } from "./signature";

const INITIAL_BYTES = 1024;
const MAX_SIGNATURE_BYTES = 255;
const OBJECT_PATH = /^\/$|^(\/[A-Za-z0-9_]+)+$/;
// eslint-disable-next-line no-control-regex -- U+0000 is one of the two things that a D-Bus string cannot hold
const NOT_IN_STRINGS = /\u0000|\p{Surrogate}/u;

const INTEGER_RANGES = {
  y: [0, 0xff],
  n: [-0x8000, 0x7fff],
  q: [0, 0xffff],
  i: [-0x80000000, 0x7fffffff],
  u: [0, 0xffffffff],
} as const;

/**
 * The elements of an array, marshalled already: written where a value of type a{…} or a(…) is expected. Such elements
 * begin at a multiple of 8, so that their bytes are the same wherever the array is.
 */
export class MarshalledElements {
  /** `signature` is the array's, one complete type. */
  constructor(
    readonly signature: string,
    readonly bytes: Buffer,
  ) {}
}

/** The elements of `value`, an array or a dictionary of `signature`, for use in several messages. */
export function marshalElements(signature: string, value: unknown): MarshalledElements {
  const node = parseSingleType(signature);
  const [element] = node.children;
  if (element === undefined || alignmentOf(element) !== 8)
    throw new TypeError(`The elements of ${signature} do not begin at a multiple of 8`);
  const writer = new Writer();
  writer.elements(node, value);
  if (writer.descriptors.length > 0) throw new TypeError("Descriptors can't be marshalled ahead");
  return new MarshalledElements(signature, Buffer.from(writer.bytes()));
}

export class Writer {
  /** The descriptors written as values of type h, which are indices into it. */
  readonly descriptors: number[] = [];
  #bytes = Buffer.alloc(INITIAL_BYTES);
  #at = 0;
  #depth = 0;

  get length(): number {
    return this.#at;
  }

  /** What was written; valid until the next write. */
  bytes(): Buffer {
    return this.#bytes.subarray(0, this.#at);
  }

  /** The values of a whole signature. Throws TypeError when they do not fit it. */
  writeAll(signature: string, values: readonly unknown[]): void {
    const nodes = parseSignature(signature);
    if (nodes.length !== values.length)
      throw new TypeError(`${values.length} values were given for the signature "${signature}"`);
    nodes.forEach((node, index) => {
      this.write(node, values[index]);
    });
  }

  write(node: SignatureNode, value: unknown): void {
    switch (node.code) {
      case "y":
      case "n":
      case "q":
      case "i":
      case "u":
        this.#integer(node.code, value);
        break;
      case "h":
        this.#descriptor(value);
        break;
      case "b":
        if (typeof value !== "boolean") throw misfit(node, value);
        this.#uint32(value ? 1 : 0);
        break;
      case "x":
      case "t":
        this.#wide(node, value);
        break;
      case "d":
        if (typeof value !== "number") throw misfit(node, value);
        this.#bytes.writeDoubleLE(value, this.#room(8, 8));
        break;
      case "s":
        if (typeof value !== "string" || NOT_IN_STRINGS.test(value)) throw misfit(node, value);
        this.#text(value);
        break;
      case "o":
        if (typeof value !== "string" || !OBJECT_PATH.test(value)) throw misfit(node, value);
        this.#text(value);
        break;
      case "g":
        if (typeof value !== "string") throw misfit(node, value);
        parseSignature(value);
        this.#signature(value);
        break;
      case "v":
      case "a":
      case "(":
      case "{":
        this.#container(node, value);
    }
  }

  align(alignment: number): void {
    this.#room(0, alignment);
  }

  /** Number at a place that was written before. */
  patchUint32(value: number, at: number): void {
    this.#bytes.writeUInt32LE(value, at);
  }

  /** The elements of an array without its length. */
  elements(node: SignatureNode, value: unknown): void {
    const [element] = node.children;
    if (element === undefined) throw new Error("An array has no type of elements");
    if (element.code === "{") {
      const [key, entry] = element.children;
      if (key === undefined || entry === undefined || !isRecord(value)) throw misfit(node, value);
      for (const name of Object.keys(value)) {
        this.align(8);
        this.write(key, keyOf(key, name));
        this.write(entry, value[name]);
      }
    } else if (element.code === "y" && value instanceof Uint8Array) this.#copy(value);
    else if (Array.isArray(value)) for (const item of value) this.write(element, item);
    else throw misfit(node, value);
  }

  #container(node: SignatureNode, value: unknown): void {
    if (++this.#depth > MAX_DEPTH) throw new TypeError("A value is nested too deeply for D-Bus");
    if (node.code === "v") {
      if (!(value instanceof Variant)) throw misfit(node, value);
      const { signature, value: inner } = value as Variant<unknown>;
      const type = parseSingleType(signature);
      this.#signature(signature);
      this.write(type, inner);
    } else if (node.code === "a") this.#array(node, value);
    else {
      if (!Array.isArray(value) || value.length !== node.children.length) throw misfit(node, value);
      this.align(8);
      node.children.forEach((child, index) => {
        this.write(child, value[index]);
      });
    }
    this.#depth--;
  }

  #array(node: SignatureNode, value: unknown): void {
    const lengthAt = this.#room(4, 4);
    const [element] = node.children;
    if (element === undefined) throw new Error("An array has no type of elements");
    this.align(alignmentOf(element));
    const start = this.#at;
    if (value instanceof MarshalledElements) {
      const expected = parseSingleType(value.signature);
      if (!sameType(expected, node)) throw misfit(node, value.signature);
      this.#copy(value.bytes);
    } else this.elements(node, value);
    const length = this.#at - start;
    if (length > MAX_ARRAY_BYTES)
      throw new TypeError(`An array has ${length} bytes, and D-Bus allows ${MAX_ARRAY_BYTES}`);
    this.patchUint32(length, lengthAt);
  }

  /** Room for `size` bytes at a multiple of `alignment`, with zeros before it; returns where it is. */
  #room(size: number, alignment: number): number {
    const at = (this.#at + alignment - 1) & -alignment;
    const end = at + size;
    if (end > MAX_MESSAGE_BYTES)
      throw new TypeError(`The message has more than the ${MAX_MESSAGE_BYTES} bytes that D-Bus allows`);
    if (end > this.#bytes.length) {
      // Zeros, because padding is passed over and not written.
      const larger = Buffer.alloc(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#at);
      this.#bytes = larger;
    }
    this.#at = end;
    return at;
  }

  #copy(bytes: Uint8Array): void {
    // First, because room may be a new buffer.
    const at = this.#room(bytes.length, 1);
    this.#bytes.set(bytes, at);
  }

  #uint32(value: number): void {
    const at = this.#room(4, 4);
    this.#bytes.writeUInt32LE(value, at);
  }

  #integer(code: keyof typeof INTEGER_RANGES, value: unknown): void {
    const [low, high] = INTEGER_RANGES[code];
    if (typeof value !== "number" || !Number.isInteger(value) || value < low || value > high)
      throw misfit({ code, children: [] }, value);
    const size = code === "y" ? 1 : code === "n" || code === "q" ? 2 : 4;
    const at = this.#room(size, size);
    if (low < 0) this.#bytes.writeIntLE(value, at, size);
    else this.#bytes.writeUIntLE(value, at, size);
  }

  #wide(node: SignatureNode, value: unknown): void {
    const signed = node.code === "x";
    const fits =
      typeof value === "bigint" && (signed ? BigInt.asIntN(64, value) : BigInt.asUintN(64, value)) === value;
    if (!fits) throw misfit(node, value);
    const at = this.#room(8, 8);
    if (signed) this.#bytes.writeBigInt64LE(value, at);
    else this.#bytes.writeBigUInt64LE(value, at);
  }

  #descriptor(value: unknown): void {
    if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
      throw misfit({ code: "h", children: [] }, value);
    this.#uint32(this.descriptors.push(value) - 1);
  }

  #text(text: string): void {
    const length = Buffer.byteLength(text);
    this.#uint32(length);
    this.#terminated(text, length);
  }

  #signature(signature: string): void {
    if (signature.length > MAX_SIGNATURE_BYTES) throw new TypeError("A signature is too long for D-Bus");
    const at = this.#room(1, 1);
    this.#bytes[at] = signature.length;
    this.#terminated(signature, signature.length);
  }

  #terminated(text: string, length: number): void {
    const at = this.#room(length + 1, 1);
    this.#bytes.write(text, at, length);
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Variant);

/** Keys of objects are text; those of a dictionary may be numbers. */
function keyOf(type: SignatureNode, name: string): unknown {
  if ("so".includes(type.code)) return name;
  if ("xt".includes(type.code)) return BigInt(name);
  if (type.code === "b") return name === "true";
  return type.code === "g" ? name : Number(name);
}

const sameType = (one: SignatureNode, other: SignatureNode): boolean =>
  one === other ||
  (one.code === other.code &&
    one.children.length === other.children.length &&
    one.children.every((child, index) => {
      const counterpart = other.children[index];
      return counterpart !== undefined && sameType(child, counterpart);
    }));

function misfit({ code }: SignatureNode, value: unknown): TypeError {
  return new TypeError(
    `A value does not fit the D-Bus type ${code}: ${typeof value} ${inspect(value, { depth: 0 })}`,
  );
}
