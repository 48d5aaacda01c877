/**
 * Messages as bytes and as values, within the limits of the D-Bus specification. dbus-next's own codec trusts lengths
 * (a damaged message makes it allocate without bound), and mistakes 64-bit numbers of big-endian messages.
 */
import { MalformedMessage, MAX_ARRAY_BYTES, MAX_MESSAGE_BYTES } from "./limits";
import { Reader } from "./reader";
import { parseSignature, parseSingleType } from "./signature";
import { sharedWriter, type Writer } from "./writer";

export { MalformedMessage, MAX_MESSAGE_BYTES, TooLong } from "./limits";

export const MESSAGE_TYPE = { methodCall: 1, methodReturn: 2, error: 3, signal: 4 } as const;
export const NO_REPLY_EXPECTED = 1;
export const FIXED_BYTES = 16;
const PROTOCOL_VERSION = 1;
const BIG_ENDIAN = "B".charCodeAt(0);
const LITTLE_ENDIAN = "l".charCodeAt(0);
const BODY_LENGTH_AT = 4;
const SERIAL_AT = 8;
const FIELDS_LENGTH_AT = 12;

/** The header fields that we know, by number ("Header Fields"). */
const FIELDS = [
  { code: 1, name: "path", type: "o" },
  { code: 2, name: "interface", type: "s" },
  { code: 3, name: "member", type: "s" },
  { code: 4, name: "errorName", type: "s" },
  { code: 5, name: "replySerial", type: "u" },
  { code: 6, name: "destination", type: "s" },
  { code: 7, name: "sender", type: "s" },
  { code: 8, name: "signature", type: "g" },
  { code: 9, name: "unixFd", type: "u" },
] as const;
const FIELD_OF_CODE = new Map<number, (typeof FIELDS)[number]>(FIELDS.map((field) => [field.code, field]));
const WRITTEN_FIELDS = FIELDS.map((field) => ({ ...field, node: parseSingleType(field.type) }));
const [BYTE, UINT32, SIGNATURE] = [parseSingleType("y"), parseSingleType("u"), parseSingleType("g")];

/** The header of a message that is received. Fields that it lacks are undefined. */
export interface MessageHead {
  readonly type: number;
  readonly serial: number;
  readonly flags: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  /** How many descriptors belong to it. */
  readonly unixFd?: number;
  readonly signature: string;
  /** Where the arguments begin, in bytes from the start of the message. */
  readonly bodyAt: number;
}

type ReadHead = { -readonly [K in keyof MessageHead]: MessageHead[K] };

/** A message as it is received. An argument of type h is an index. */
export interface ReceivedMessage extends MessageHead {
  readonly body: unknown[];
}

/** A message to send; its body is in the form of Reader.read(), an h a descriptor. */
export interface OutgoingMessage {
  type: number;
  serial: number;
  flags?: number;
  path?: string;
  interface?: string;
  member?: string;
  errorName?: string;
  replySerial?: number;
  destination?: string;
  signature: string;
  body: unknown[];
}

const padded = (length: number): number => (length + 7) & ~7;

/** The length in bytes of the message whose first 16 bytes are those at `at`. Throws MalformedMessage. */
export function messageLength(bytes: Buffer, at = 0): number {
  const endian = bytes[at];
  if (endian !== BIG_ENDIAN && endian !== LITTLE_ENDIAN)
    throw new MalformedMessage(`a message of the bus has the unknown byte order ${endian ?? "none"}`);
  if (bytes[at + 3] !== PROTOCOL_VERSION)
    throw new MalformedMessage(
      `a message of the bus has the protocol version ${bytes[at + 3] ?? "none"}, not 1`,
    );
  const read = (offset: number): number =>
    endian === BIG_ENDIAN ? bytes.readUInt32BE(at + offset) : bytes.readUInt32LE(at + offset);
  const fields = read(FIELDS_LENGTH_AT);
  const length = FIXED_BYTES + padded(fields) + read(BODY_LENGTH_AT);
  if (fields > MAX_ARRAY_BYTES || length > MAX_MESSAGE_BYTES)
    throw new MalformedMessage(
      `a message of the bus has ${length} bytes, more than the ${MAX_MESSAGE_BYTES} allowed`,
    );
  return length;
}

/** Decodes the header of a whole message, of messageLength() bytes. Throws when it is none that a message can have. */
export function decodeHead(bytes: Buffer): MessageHead {
  const bigEndian = bytes[0] === BIG_ENDIAN;
  const reader = new Reader(bytes, bigEndian, FIELDS_LENGTH_AT);
  const head: ReadHead = {
    type: bytes[1] ?? 0,
    flags: bytes[2] ?? 0,
    serial: bigEndian ? bytes.readUInt32BE(SERIAL_AT) : bytes.readUInt32LE(SERIAL_AT),
    signature: "",
    bodyAt: 0,
  };
  const length = reader.uint32();
  const end = reader.position + length;
  if (end > bytes.length) throw new MalformedMessage("a message of the bus ends within its header");
  while (reader.position < end) readField(reader, head);
  if (reader.position !== end)
    throw new MalformedMessage("a message of the bus has a header that ends within a field");
  reader.align(8);
  head.bodyAt = reader.position;
  return head;
}

function readField(reader: Reader, head: ReadHead): void {
  reader.align(8);
  const field = FIELD_OF_CODE.get(reader.byte());
  const type = reader.signature();
  if (field === undefined) {
    reader.read(parseSingleType(type)); // "Unknown fields must be ignored."
    return;
  }
  if (type !== field.type)
    throw new MalformedMessage(`a message of the bus has a ${field.name} of type ${type}`);
  if (field.type === "u") head[field.name] = reader.uint32();
  else if (field.type === "s") head[field.name] = reader.text();
  else if (field.type === "o") head[field.name] = reader.path();
  else head[field.name] = reader.signature();
}

/** Decodes the arguments of a message whose header decodeHead() gave. Throws when they are not what it says. */
export function decodeBody(bytes: Buffer, { signature, bodyAt }: MessageHead): unknown[] {
  const reader = new Reader(bytes, bytes[0] === BIG_ENDIAN, bodyAt);
  const body = parseSignature(signature).map((node) => reader.read(node));
  if (reader.position !== bytes.length)
    throw new MalformedMessage(
      `a message of the bus has ${bytes.length - reader.position} bytes behind its arguments`,
    );
  return body;
}

/** Decodes a whole message, of messageLength() bytes. Throws when its content is not what its header says. */
export function decode(bytes: Buffer): ReceivedMessage {
  const head = decodeHead(bytes);
  return { ...head, body: decodeBody(bytes, head) };
}

/**
 * Encodes a message, in pieces: what was marshalled ahead is not copied. Throws TypeError when its body does not fit
 * its signature, and TooLong when it has more than `most` bytes.
 */
export function encodePieces(
  message: OutgoingMessage,
  most = MAX_MESSAGE_BYTES,
): { pieces: readonly Buffer[]; descriptors: readonly number[] } {
  const writer = sharedWriter("refuse", most);
  writeMessage(writer, message, 0);
  const { descriptors } = writer;
  if (descriptors.length > 0) {
    // Their number stands before the body that they are found in.
    writer.reset("refuse", most);
    writeMessage(writer, message, descriptors.length);
  }
  return { pieces: writer.takePieces(), descriptors };
}

/** What is a message's own among several that are alike otherwise. */
export interface OwnParts {
  readonly serial: number;
  /** In its body. */
  readonly text: string;
}
const PRINTABLE_ASCII = /^[ -~]+$/;

/**
 * Encodes the messages, without descriptors, that `messageOf` gives for each text; they must differ by it alone. Throws as
 * encodePieces(). Texts of one length make messages that differ at two places, and only one of them is encoded: whatever
 * is announced is announced on each revision of an interface.
 */
export function encodeForEach(
  each: readonly OwnParts[],
  messageOf: (text: string) => Omit<OutgoingMessage, "serial">,
  most = MAX_MESSAGE_BYTES,
): readonly Buffer[] {
  const [model] = each;
  if (model === undefined) return [];
  const one = ({ serial, text }: OwnParts): readonly Buffer[] => {
    const { pieces, descriptors } = encodePieces({ ...messageOf(text), serial }, most);
    if (descriptors.length > 0) throw new TypeError("Descriptors go out with one message");
    return pieces;
  };
  const pieces = one(model);
  const [whole] = pieces;
  const textAt = whole === undefined || pieces.length > 1 ? null : onlyPlaceOf(model.text, whole);
  const isAlike = ({ text }: OwnParts): boolean =>
    text.length === model.text.length && PRINTABLE_ASCII.test(text);
  if (whole === undefined || textAt === null || !each.every(isAlike))
    return [...pieces, ...each.slice(1).flatMap(one)];
  const all = Buffer.allocUnsafeSlow(whole.length * each.length);
  each.forEach(({ serial, text }, index) => {
    const at = index * whole.length;
    all.set(whole, at);
    all.writeUInt32LE(serial, at + SERIAL_AT);
    all.write(text, at + textAt, "latin1");
  });
  return [all];
}

/** Where in the body of a message a text is, or null: not once. */
function onlyPlaceOf(text: string, message: Buffer): number | null {
  const at = message.indexOf(text, message.length - message.readUInt32LE(BODY_LENGTH_AT));
  return at !== -1 && message.indexOf(text, at + 1) === -1 ? at : null;
}

/** As encodePieces(), in one buffer. */
export function encode(message: OutgoingMessage): { data: Buffer; descriptors: readonly number[] } {
  const { pieces, descriptors } = encodePieces(message);
  return { data: Buffer.concat(pieces), descriptors };
}

function writeMessage(writer: Writer, message: OutgoingMessage, descriptors: number): void {
  if (message.type === MESSAGE_TYPE.signal && descriptors === 0) writeSignalHead(writer, message);
  else writeHead(writer, message, descriptors);
  const start = writer.length;
  writer.writeAll(message.signature, message.body);
  writer.patchUint32(writer.length - start, BODY_LENGTH_AT);
}

function writeHead(writer: Writer, message: OutgoingMessage, descriptors: number): void {
  writer.writeAll("yyyyuu", [
    LITTLE_ENDIAN,
    message.type,
    message.flags ?? 0,
    PROTOCOL_VERSION,
    0,
    message.serial,
  ]);
  writeFields(writer, message, descriptors);
  writer.align(8);
}

/** What makes the head of a message without descriptors, but for its serial. */
const HEAD_MEMBERS = [
  ...(["type", "flags", "path", "interface", "member", "errorName", "replySerial"] as const),
  ...(["destination", "signature"] as const),
];
let lastSignal: { readonly message: OutgoingMessage; readonly head: Buffer } | null = null;

/** A new object is announced for each of its interfaces: in a row of signals whose heads differ by their serials. */
function writeSignalHead(writer: Writer, message: OutgoingMessage): void {
  const last = lastSignal;
  if (last !== null && HEAD_MEMBERS.every((name) => message[name] === last.message[name])) {
    writer.copy(last.head);
    writer.patchUint32(message.serial, SERIAL_AT);
    return;
  }
  writeHead(writer, message, 0);
  lastSignal = { message: { ...message, body: [] }, head: writer.written() };
}

/** The array of header fields: a(yv). */
function writeFields(writer: Writer, message: OutgoingMessage, descriptors: number): void {
  writer.write(UINT32, 0);
  const start = writer.length;
  for (const { code, name, type, node } of WRITTEN_FIELDS) {
    const value = fieldValue(message, name, descriptors);
    if (value === undefined) continue;
    writer.align(8);
    writer.write(BYTE, code);
    writer.write(SIGNATURE, type);
    writer.write(node, value);
  }
  writer.patchUint32(writer.length - start, FIELDS_LENGTH_AT);
}

function fieldValue(
  message: OutgoingMessage,
  name: (typeof FIELDS)[number]["name"],
  descriptors: number,
): string | number | undefined {
  if (name === "signature") return message.signature === "" ? undefined : message.signature;
  if (name === "unixFd") return descriptors === 0 ? undefined : descriptors;
  // The bus fills in the sender.
  return name === "sender" ? undefined : message[name];
}
