/**
 * Messages as bytes and as values. dbus-next encodes and decodes; that a message's parts fit into each other and into
 * the limits of the D-Bus specification is checked here, before it is trusted with them.
 */
import { marshallMessage, messageToJsFmt } from "dbus-next/lib/marshall-compat";
import DBusBuffer from "dbus-next/lib/dbus-buffer";
import { parseSignature } from "dbus-next/lib/signature";

export const MESSAGE_TYPE = { methodCall: 1, methodReturn: 2, error: 3, signal: 4 } as const;
export const NO_REPLY_EXPECTED = 1;
/** "Message Format" and "Marshaling" of the D-Bus specification. */
export const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
const MAX_ARRAY_BYTES = 64 * 1024 * 1024;
export const FIXED_BYTES = 16;
const PROTOCOL_VERSION = 1;
const BIG_ENDIAN = "B".charCodeAt(0);
const LITTLE_ENDIAN = "l".charCodeAt(0);
/** Names by the number of a header field. */
const FIELD_NAMES = [
  "",
  "path",
  "interface",
  "member",
  "errorName",
  "replySerial",
  "destination",
  "sender",
  "signature",
  "unixFd",
] as const;
const FIELDS = parseSignature("(yv)");

/** A message as it is received. Fields that the header lacks are undefined. An argument of type h is an index. */
export interface ReceivedMessage {
  readonly type: number;
  readonly serial: number;
  readonly flags: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly sender?: string;
  /** How many descriptors belong to it. */
  readonly unixFd?: number;
  readonly signature: string;
  readonly body: unknown[];
}

/** A message to send; its body is in the form that dbus-next's documentation gives for each type, an h a descriptor. */
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

export class MalformedMessage extends Error {
  override name = "MalformedMessage";
}

const padded = (length: number): number => (length + 7) & ~7;

/** The length in bytes of the message that begins with these 16 bytes. Throws MalformedMessage. */
export function messageLength(fixed: Buffer): number {
  const endian = fixed[0];
  if (endian !== BIG_ENDIAN && endian !== LITTLE_ENDIAN)
    throw new MalformedMessage(`a message of the bus has the unknown byte order ${endian ?? "none"}`);
  if (fixed[3] !== PROTOCOL_VERSION)
    throw new MalformedMessage(`a message of the bus has the protocol version ${fixed[3] ?? "none"}, not 1`);
  const read = (at: number): number =>
    endian === BIG_ENDIAN ? fixed.readUInt32BE(at) : fixed.readUInt32LE(at);
  const fields = read(12);
  const length = FIXED_BYTES + padded(fields) + read(4);
  if (fields > MAX_ARRAY_BYTES || length > MAX_MESSAGE_BYTES)
    throw new MalformedMessage(
      `a message of the bus has ${length} bytes, more than the ${MAX_MESSAGE_BYTES} allowed`,
    );
  return length;
}

/** An array that holds every index at that index, so that a value of type h is decoded as the index that it is. */
const INDICES: ArrayLike<number> = new Proxy<number[]>([], {
  get: (_, key) => (key === "length" ? Infinity : Number(key)),
});

/** Decodes a whole message. Throws when its content is not what its header says. */
export function decode(bytes: Buffer): ReceivedMessage {
  const endian = bytes[0] ?? 0;
  const read = (at: number): number =>
    endian === BIG_ENDIAN ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  // Positions count from the end of the fixed part, which is a multiple of the largest alignment.
  const reader = new DBusBuffer(bytes.subarray(FIXED_BYTES), 0, endian, INDICES);
  const message: Record<string, unknown> = {
    type: bytes[1],
    flags: bytes[2],
    serial: read(8),
    signature: "",
    body: [],
  };
  for (const [code, variant] of reader.readArray(FIELDS[0], read(12))) {
    const name = FIELD_NAMES[code];
    if (name !== undefined) message[name] = variant[1][0];
  }
  reader.align(3);
  const { signature } = message;
  if (typeof signature === "string" && signature !== "") message["body"] = reader.read(signature);
  if (reader.pos > bytes.length - FIXED_BYTES)
    throw new MalformedMessage("a message of the bus ends within its arguments");
  return messageToJsFmt(message) as unknown as ReceivedMessage;
}

/** Encodes a message. Throws when its body does not fit its signature, or when it is longer than a message may be. */
export function encode(message: OutgoingMessage): { data: Buffer; descriptors: number[] } {
  const [data, descriptors] = marshallMessage({ ...message });
  if (data.length > MAX_MESSAGE_BYTES)
    throw new Error(`The message has ${data.length} bytes, and D-Bus allows ${MAX_MESSAGE_BYTES}`);
  return { data, descriptors };
}
