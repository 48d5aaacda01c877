/** Taking typed values out of a JSON document that may hold anything, with errors that name the place. */
import { sectors, type Sectors } from "../units";
import { parseUuid } from "../uuid";
import { causeText, DiskFormatError } from "./errors";
import { isJsonArray, isJsonObject, parseJson, type JsonObject, type JsonValue } from "./json";
import type { Segment } from "./space";

const U64_MAX = 2n ** 64n - 1n;

const describe = (value: JsonValue): string => {
  if (value === null) return "null";
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (typeof value === "bigint" || typeof value === "boolean") return value.toString();
  if (isJsonArray(value)) return `an array of ${value.length}`;
  return isJsonObject(value) ? "an object" : "a number that is not an integer of 64 bits";
};

/** A value of a document together with its place. Every method throws DiskFormatError for a value of another type. */
export class RecordReader {
  private constructor(
    private readonly value: JsonValue,
    private readonly place: string,
  ) {}

  /** `what` names the document in messages. Bytes must be UTF-8. */
  static parse(what: string, json: Uint8Array | string): RecordReader {
    try {
      const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
      const text = typeof json === "string" ? json : decoder.decode(json);
      return new RecordReader(parseJson(text), what);
    } catch (error) {
      throw new DiskFormatError(`${what}: ${causeText(error)}`, { cause: error });
    }
  }

  fail(why: string): never {
    throw new DiskFormatError(`${this.place}: ${why}`);
  }

  private expected(type: string): never {
    return this.fail(`expected ${type}, found ${describe(this.value)}`);
  }

  private object(): JsonObject {
    return isJsonObject(this.value) ? this.value : this.expected("an object");
  }

  member(key: string): RecordReader {
    return this.memberIfPresent(key) ?? this.fail(`"${key}" is missing`);
  }

  /** null when the key is absent; JSON's null counts as a value, which no type accepts. */
  memberIfPresent(key: string): RecordReader | null {
    const object = this.object();
    const value = Object.hasOwn(object, key) ? object[key] : undefined;
    return value === undefined ? null : new RecordReader(value, `${this.place}, ${key}`);
  }

  /** null when the key is absent or its value is JSON's null. */
  memberUnlessNull(key: string): RecordReader | null {
    const member = this.memberIfPresent(key);
    return member?.value === null ? null : member;
  }

  list(): RecordReader[] {
    if (!isJsonArray(this.value)) return this.expected("an array");
    return this.value.map((item, index) => new RecordReader(item, `${this.place}[${index}]`));
  }

  integer(min: bigint, max: bigint): bigint {
    if (typeof this.value !== "bigint") return this.expected("an integer");
    if (this.value < min || this.value > max) return this.expected(`an integer from ${min} to ${max}`);
    return this.value;
  }

  u64(): bigint {
    return this.integer(0n, U64_MAX);
  }

  sectors(): Sectors {
    return sectors(this.u64());
  }

  boolean(): boolean {
    return typeof this.value === "boolean" ? this.value : this.expected("true or false");
  }

  /** Text that can be shown anywhere: well-formed Unicode without NUL, which D-Bus could not carry. */
  string(): string {
    if (typeof this.value !== "string") return this.expected("a string");
    if (/\p{Surrogate}/u.test(this.value)) return this.fail("it holds half of a surrogate pair");
    if (this.value.includes("\0")) return this.fail("it holds a NUL character");
    return this.value;
  }

  /**
   * Name of a pool or filesystem. It becomes part of a path below /dev/stratis, so what would lead elsewhere is
   * refused; upstream lets a slash at the end pass (on-disk-format.md §16).
   */
  name(): string {
    const name = this.string();
    if (/\p{Cc}/u.test(name)) return this.fail(`${describe(name)} holds control characters`);
    const component = name.endsWith("/") ? name.slice(0, -1) : name;
    if (["", ".", ".."].includes(component) || component.includes("/"))
      return this.fail(`${describe(name)} can't be a name in a directory`);
    return name;
  }

  /** In hyphenated lower-case form. */
  uuid(): string {
    return parseUuid(this.string()) ?? this.expected("a UUID");
  }

  /** The end of a range must be representable, or sums would overflow in other implementations. */
  private segment(start: RecordReader, length: RecordReader): Segment {
    const segment = { start: start.sectors(), length: length.sectors() };
    if (segment.start + segment.length > U64_MAX)
      return this.fail(`a segment of ${segment.length} sectors at sector ${segment.start} ends beyond 2^64`);
    return segment;
  }

  /** `[start, length]` */
  segmentPair(): Segment {
    const [start, length, ...more] = this.list();
    if (start === undefined || length === undefined || more.length > 0)
      return this.expected("a pair of start and length");
    return this.segment(start, length);
  }

  /** An object with `start` and `length`. */
  segmentObject(): Segment {
    return this.segment(this.member("start"), this.member("length"));
  }
}

const MAX_STRING_BYTES = 255;

/** The text as records keep it: at most 255 bytes of UTF-8, cut between characters (on-disk-format.md §10.1). */
export function cutForRecord(text: string): string {
  const utf8 = Buffer.from(text, "utf8");
  let end = Math.min(utf8.length, MAX_STRING_BYTES);
  const isContinuation = (index: number): boolean => ((utf8[index] ?? 0) & 0xc0) === 0x80;
  while (end > 0 && isContinuation(end)) end -= 1;
  return utf8.toString("utf8", 0, end);
}

/** An object without the members that have no value, in the order given. */
export function presentMembers(members: readonly [string, JsonValue | undefined][]): JsonObject {
  return Object.fromEntries(
    members.filter((member): member is [string, JsonValue] => member[1] !== undefined),
  );
}
