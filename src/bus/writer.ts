/** Values as the bytes of a message, little-endian. What does not fit its type is refused. */
import { inspect } from "node:util";
import { Variant } from "dbus-next/lib/variant";
import { MAX_ARRAY_BYTES, MAX_DEPTH, MAX_MESSAGE_BYTES, TooLong } from "./limits";
import { alignmentOf, parseSignature, parseSingleType, type SignatureNode } from "./signature";
import { isSendableText, sendableText } from "./text";

const INITIAL_BYTES = 4096;
/** A writer that is used again keeps a buffer of up to this size. */
const MAX_KEPT_BYTES = 64 * 1024;
/** Elements that were marshalled ahead are copied up to this length, and longer ones are sent from where they are. */
const MAX_COPIED_BYTES = 512;
/** Up to this many characters it is faster to write one by one than to call into the runtime. */
const MAX_SHORT_LENGTH = 48;
const MAX_SIGNATURE_BYTES = 255;
const OBJECT_PATH = /^\/$|^(\/[A-Za-z0-9_]+)+$/;

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

/** What a writer does with text that D-Bus strings cannot hold: throw, or write sendableText() of it. */
export type Unsendable = "refuse" | "replace";

/** The elements of `value`, an array or a dictionary of `signature`, for use in several messages. */
export function marshalElements(
  signature: string,
  value: unknown,
  unsendable: Unsendable = "refuse",
): MarshalledElements {
  const node = parseSingleType(signature);
  requireAlignedElements(node, signature);
  const writer = sharedWriter(unsendable);
  writer.elements(node, value);
  if (writer.descriptors.length > 0) throw new TypeError("Descriptors can't be marshalled ahead");
  return new MarshalledElements(signature, writer.take());
}

/** The elements of several arrays of `signature`, one after the other, as those of one. */
export function joinElements(signature: string, parts: readonly MarshalledElements[]): MarshalledElements {
  requireAlignedElements(parseSingleType(signature), signature);
  const writer = sharedWriter("refuse");
  for (const part of parts) {
    if (part.signature !== signature)
      throw new TypeError(`Elements of ${part.signature} can't be joined to those of ${signature}`);
    // Nothing behind the last element, not even padding.
    if (part.bytes.length > 0) writer.append(part);
  }
  return new MarshalledElements(signature, writer.take());
}

function requireAlignedElements(node: SignatureNode, signature: string): void {
  const [element] = node.children;
  if (element === undefined || alignmentOf(element) !== 8)
    throw new TypeError(`The elements of ${signature} do not begin at a multiple of 8`);
}

export class Writer {
  #unsendable: Unsendable = "refuse";
  #most = MAX_MESSAGE_BYTES;
  #descriptors: number[] = [];
  #bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  /** Of what is in #bytes; positions in the message count what stands apart, too. */
  #at = 0;
  /** What stands apart: it comes before the byte `at` of #bytes. */
  #apart: { at: number; bytes: Buffer }[] = [];
  #apartBytes = 0;
  #depth = 0;

  /** Begins anew. `most`: the length in bytes above which writing throws TooLong. */
  reset(unsendable: Unsendable, most = MAX_MESSAGE_BYTES): void {
    this.#unsendable = unsendable;
    this.#most = most;
    this.#descriptors = [];
    this.#at = 0;
    this.#apart = [];
    this.#apartBytes = 0;
    this.#depth = 0;
  }

  /** The descriptors written as values of type h, which are indices into it. */
  get descriptors(): readonly number[] {
    return this.#descriptors;
  }

  get length(): number {
    return this.#at + this.#apartBytes;
  }

  /** A copy of what was written, before anything stands apart. */
  written(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#at));
  }

  /** What was written, in one buffer. Nothing may be written after it without reset(). */
  take(): Buffer {
    const [first, ...others] = this.takePieces();
    return first !== undefined && others.length === 0
      ? first
      : Buffer.concat([first ?? Buffer.alloc(0), ...others]);
  }

  /** What was written, in order. Nothing may be written after it without reset(). */
  takePieces(): Buffer[] {
    const own = this.#takeOwn();
    const pieces: Buffer[] = [];
    let from = 0;
    for (const { at, bytes } of this.#apart) {
      pieces.push(own.subarray(from, at), bytes);
      from = at;
    }
    if (from < own.length) pieces.push(own.subarray(from));
    return pieces;
  }

  #takeOwn(): Buffer {
    const written = this.#bytes.subarray(0, this.#at);
    if (this.#bytes.length <= MAX_KEPT_BYTES) return Buffer.from(written);
    this.#bytes = Buffer.allocUnsafeSlow(INITIAL_BYTES);
    return written;
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
        if (typeof value !== "string") throw misfit(node, value);
        if (!this.#shortText(value)) this.#text(this.#sendable(node, value));
        break;
      case "o":
        if (typeof value !== "string" || !OBJECT_PATH.test(value)) throw misfit(node, value);
        if (!this.#shortText(value)) this.#text(value);
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

  /** A number at a place in #bytes that was written before; before anything stands apart, that is its position. */
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
    } else if (element.code === "y" && value instanceof Uint8Array) this.copy(value);
    else if (Array.isArray(value)) for (const item of value) this.write(element, item);
    else throw misfit(node, value);
  }

  /** Elements that are marshalled already. Only where elements of arrays like theirs are expected. */
  append({ bytes }: MarshalledElements): void {
    this.align(8);
    this.#marshalled(bytes);
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
    const start = this.length;
    if (value instanceof MarshalledElements) {
      const expected = parseSingleType(value.signature);
      if (!sameType(expected, node)) throw misfit(node, value.signature);
      this.#marshalled(value.bytes);
    } else this.elements(node, value);
    const length = this.length - start;
    if (length > MAX_ARRAY_BYTES)
      throw new TooLong(`An array has ${length} bytes, and D-Bus allows ${MAX_ARRAY_BYTES}`);
    this.patchUint32(length, lengthAt);
  }

  /** Room for `size` bytes at a multiple of `alignment`, with zeros before it; returns where in #bytes it is. */
  #room(size: number, alignment: number): number {
    const at = this.#at + (-this.length & (alignment - 1));
    const end = at + size;
    if (end + this.#apartBytes > this.#most) throw this.#tooLong();
    if (end > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(end, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, this.#at);
      this.#bytes = larger;
    }
    for (let padding = this.#at; padding < at; padding++) this.#bytes[padding] = 0;
    this.#at = end;
    return at;
  }

  #marshalled(bytes: Buffer): void {
    if (bytes.length <= MAX_COPIED_BYTES) {
      this.copy(bytes);
      return;
    }
    if (this.length + bytes.length > this.#most) throw this.#tooLong();
    this.#apart.push({ at: this.#at, bytes });
    this.#apartBytes += bytes.length;
  }

  #tooLong(): TooLong {
    return new TooLong(
      `The message has more than the ${this.#most} bytes that ` +
        (this.#most === MAX_MESSAGE_BYTES ? "D-Bus allows" : "the message bus lets through"),
    );
  }

  #sendable(node: SignatureNode, value: string): string {
    if (isSendableText(value)) return value;
    if (this.#unsendable === "refuse") throw misfit(node, value);
    return sendableText(value);
  }

  /** Bytes that are written as they are, not aligned. */
  copy(bytes: Uint8Array): void {
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
    this.#uint32(this.#descriptors.push(value) - 1);
  }

  /** Text that is short and ASCII, without NUL: most is. Otherwise nothing is written, and the result is false. */
  #shortText(text: string): boolean {
    const { length } = text;
    if (length > MAX_SHORT_LENGTH) return false;
    const at = this.#room(4 + length + 1, 4);
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code === 0 || code >= 0x80) {
        this.#at = at;
        return false;
      }
      bytes[at + 4 + index] = code;
    }
    bytes.writeUInt32LE(length, at);
    bytes[at + 4 + length] = 0;
    return true;
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
    this.#bytes[at + length] = 0;
  }
}

const shared = new Writer();

/** A writer that is reset, for a message that is written at once: the next call resets the same one. */
export function sharedWriter(unsendable: Unsendable, most = MAX_MESSAGE_BYTES): Writer {
  shared.reset(unsendable, most);
  return shared;
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
