/**
 * The stream under dbus-next, made safe for its decoder.
 *
 * dbus-next reads a message as `read(16)` for the fixed part of the header and `read(length, null)` for the rest, and
 * decodes values of type h by looking them up in a `fds` member of what the latter returned. Without that member the
 * lookup throws out of the stream's event, which would end the process: any client could do that with one message.
 */
import type { Socket } from "node:net";

export type ByteOrder = "little" | "big";

const HEADER_BYTES = 16;
const BIG_ENDIAN = "B".charCodeAt(0);

/** An array that holds every index at that index, so that a value of type h is decoded as the index that it is. */
const INDICES: ArrayLike<number> = new Proxy<number[]>([], {
  get: (_, key) => (key === "length" ? Infinity : Number(key)),
});

/** Returns a function that tells the byte order of the message that was read last. */
export function adaptStream(stream: Socket): () => ByteOrder {
  let byteOrder: ByteOrder = "little";
  const read = stream.read.bind(stream) as (size?: number) => (Buffer & { fds?: ArrayLike<number> }) | null;
  stream.read = (...args: [size?: number, ignored?: null]) => {
    const data = read(args[0]);
    if (data === null) return data;
    if (args.length === 1 && args[0] === HEADER_BYTES) byteOrder = data[0] === BIG_ENDIAN ? "big" : "little";
    else data.fds = INDICES;
    return data;
  };
  return () => byteOrder;
}
