/** Values out of the bytes of a message, whatever the bytes are: every length is checked before it is used. */
import { isUtf8 } from "node:buffer";
import { Variant } from "dbus-next/lib/variant";
import { MalformedMessage, MAX_ARRAY_BYTES, MAX_DEPTH } from "./limits";
import { alignmentOf, parseSingleType, type SignatureNode } from "./signature";

const OBJECT_PATH = /^\/$|^(\/[A-Za-z0-9_]+)+$/;

export class Reader {
  readonly #bytes: Buffer;
  readonly #bigEndian: boolean;
  #at: number;
  #end: number;
  #depth = 0;

  /** Positions count from the start of `bytes`, which is that of the message. */
  constructor(bytes: Buffer, bigEndian: boolean, start: number, end = bytes.length) {
    this.#bytes = bytes;
    this.#bigEndian = bigEndian;
    this.#at = start;
    this.#end = end;
  }

  get position(): number {
    return this.#at;
  }

  /**
   * One value: numbers for integers up to 32 bits and doubles, bigints for x and t, arrays for structs and arrays,
   * a Buffer for ay, an object for a dictionary, Variant for v; an h is the index that it is on the wire.
   */
  read(node: SignatureNode): unknown {
    switch (node.code) {
      case "y":
        return this.byte();
      case "b":
        return this.#boolean();
      case "n":
        return this.#int(2, true);
      case "q":
        return this.#int(2, false);
      case "i":
        return this.#int(4, true);
      case "u":
      case "h":
        return this.uint32();
      case "x":
        return this.#wide(true);
      case "t":
        return this.#wide(false);
      case "d":
        return this.#double();
      case "s":
        return this.text();
      case "o":
        return this.path();
      case "g":
        return this.signature();
      case "v":
        return this.#variant();
      case "a":
        return this.#nested(() => this.#array(node));
      case "(":
      case "{":
        return this.#nested(() => this.#struct(node));
    }
  }

  byte(): number {
    return this.#bytes[this.#take(1)] ?? 0;
  }

  uint32(): number {
    this.align(4);
    const at = this.#take(4);
    return this.#bigEndian ? this.#bytes.readUInt32BE(at) : this.#bytes.readUInt32LE(at);
  }

  /** A string. */
  text(): string {
    return this.#text(this.uint32());
  }

  path(): string {
    const path = this.text();
    if (!OBJECT_PATH.test(path)) throw this.#malformed("has an invalid object path");
    return path;
  }

  signature(): string {
    return this.#text(this.byte());
  }

  /** Skips to a multiple of `alignment`. The bytes skipped are zero. */
  align(alignment: number): void {
    const to = (this.#at + alignment - 1) & -alignment;
    if (to > this.#end) throw this.#malformed("ends within a value");
    for (; this.#at < to; this.#at++)
      if (this.#bytes[this.#at] !== 0) throw this.#malformed("has padding that is not zero");
  }

  #malformed(how: string): MalformedMessage {
    return new MalformedMessage(`a message of the bus ${how}, at byte ${this.#at}`);
  }

  /** The position of `size` bytes that are there, which are passed over. */
  #take(size: number): number {
    const at = this.#at;
    if (size > this.#end - at) throw this.#malformed("ends within a value");
    this.#at = at + size;
    return at;
  }

  #int(size: 2 | 4, signed: boolean): number {
    this.align(size);
    const at = this.#take(size);
    if (this.#bigEndian) return signed ? this.#bytes.readIntBE(at, size) : this.#bytes.readUIntBE(at, size);
    return signed ? this.#bytes.readIntLE(at, size) : this.#bytes.readUIntLE(at, size);
  }

  #wide(signed: boolean): bigint {
    this.align(8);
    const at = this.#take(8);
    if (this.#bigEndian) return signed ? this.#bytes.readBigInt64BE(at) : this.#bytes.readBigUInt64BE(at);
    return signed ? this.#bytes.readBigInt64LE(at) : this.#bytes.readBigUInt64LE(at);
  }

  #double(): number {
    this.align(8);
    const at = this.#take(8);
    return this.#bigEndian ? this.#bytes.readDoubleBE(at) : this.#bytes.readDoubleLE(at);
  }

  #boolean(): boolean {
    const value = this.uint32();
    if (value > 1) throw this.#malformed(`has the boolean ${value}`);
    return value === 1;
  }

  /** Text of `length` bytes and the NUL behind it. */
  #text(length: number): string {
    const bytes = this.#bytes;
    const at = this.#take(length + 1);
    const end = at + length;
    if (bytes[end] !== 0) throw this.#malformed("has a string that does not end where its length says");
    let next = at;
    for (let code = bytes[next] ?? 0; next < end && code > 0 && code < 0x80; code = bytes[next] ?? 0) next++;
    if (next === end) return bytes.toString("latin1", at, end);
    const text = bytes.subarray(at, end);
    if (text.includes(0)) throw this.#malformed("has a string that does not end where its length says");
    if (!isUtf8(text)) throw this.#malformed("has a string that is not UTF-8");
    return text.toString("utf8");
  }

  #variant(): Variant<unknown> {
    const signature = this.signature();
    return this.#nested(() => new Variant<unknown>(signature, this.read(parseSingleType(signature))));
  }

  #nested<T>(read: () => T): T {
    if (++this.#depth > MAX_DEPTH) throw this.#malformed("nests values too deeply");
    const value = read();
    this.#depth--;
    return value;
  }

  #struct(node: SignatureNode): unknown[] {
    this.align(8);
    return node.children.map((child) => this.read(child));
  }

  #array(node: SignatureNode): unknown {
    const length = this.uint32();
    if (length > MAX_ARRAY_BYTES) throw this.#malformed(`has an array of ${length} bytes`);
    const [element] = node.children;
    if (element === undefined) throw new Error("An array has no type of elements");
    this.align(alignmentOf(element));
    const end = this.#at + length;
    if (end > this.#end) throw this.#malformed("ends within an array");
    if (element.code === "y") return Buffer.from(this.#bytes.subarray(this.#take(length), end));
    const outer = this.#end;
    this.#end = end;
    const values: unknown[] = [];
    while (this.#at < end) values.push(this.read(element));
    this.#end = outer;
    // Entries become own properties, whatever their keys are called.
    return element.code === "{" ? Object.fromEntries(values as [string, unknown][]) : values;
  }
}
