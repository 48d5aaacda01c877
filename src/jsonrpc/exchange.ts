/**
 * One message over a Unix socket, in either direction. There is no framing: a message is one JSON text, and it has ended
 * when it can be parsed. Upstream's programs send it in one piece, but it may come in several.
 */
import { closeDescriptor } from "../bus/descriptors";
import { native, type UnixSocket } from "../native";

const READ_BYTES = 64 * 1024;

export class ExchangeError extends Error {
  override name = "ExchangeError";
}

/** Resolves when the descriptor is ready. Rejects with ExchangeError after `timeoutMs` (null: waits for ever). */
async function ready(fd: number, writable: boolean, timeoutMs: number | null, what: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const poll = new (native().FdPoll)(
      fd,
      () => {
        clearTimeout(timer);
        poll.close();
        resolve();
      },
      writable,
    );
    const timer =
      timeoutMs === null
        ? undefined
        : setTimeout(() => {
            poll.close();
            reject(new ExchangeError(`${what}: nothing happened for ${timeoutMs / 1000} s`));
          }, timeoutMs);
    poll.start();
  });
}

export interface Message<T> {
  readonly content: T;
  /** The receiver's to close. */
  readonly descriptors: readonly number[];
}

export interface ReceiveOptions<T> {
  /** The content of the text, or undefined when more has to come. */
  readonly parse: (text: string) => T | undefined;
  readonly mostBytes: number;
  /** null: waits for ever. */
  readonly timeoutMs: number | null;
  /** For errors: "The request". */
  readonly what: string;
}

/** undefined: it is not whole, or not UTF-8. */
function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // A character may be cut; if it is not, the message never becomes whole, and its receiver says so.
    return undefined;
  }
}

/** Rejects with ExchangeError when the other side ends, or stops, before the message is whole, or it is too long. */
export async function receiveMessage<T>(socket: UnixSocket, options: ReceiveOptions<T>): Promise<Message<T>> {
  const { parse, mostBytes, timeoutMs, what } = options;
  const descriptors: number[] = [];
  let bytes: Buffer = Buffer.alloc(0);
  try {
    for (;;) {
      const received = socket.receive(READ_BYTES);
      if (received === null) {
        await ready(socket.readableFd, false, timeoutMs, `${what} is not complete (${bytes.length} bytes)`);
        continue;
      }
      descriptors.push(...received.descriptors);
      if (received.data.length === 0)
        throw new ExchangeError(
          bytes.length === 0 ? `${what} is empty` : `${what} (${bytes.length} bytes) is not valid JSON`,
        );
      bytes = Buffer.concat([bytes, received.data]);
      if (bytes.length > mostBytes) throw new ExchangeError(`${what} has more than ${mostBytes} bytes`);
      const text = decode(bytes);
      const content = text === undefined ? undefined : parse(text);
      if (content !== undefined) return { content, descriptors };
    }
  } catch (error) {
    descriptors.forEach(closeDescriptor);
    throw error;
  }
}

/** Sends all of it, however little room there is at a time. Descriptors go along with the first byte. */
export async function sendMessage(
  socket: UnixSocket,
  text: string,
  { descriptors = [], timeoutMs }: { descriptors?: readonly number[]; timeoutMs: number },
): Promise<void> {
  let left: Uint8Array = Buffer.from(text);
  let along = descriptors;
  while (left.length > 0) {
    const sent = socket.send(left, along);
    if (sent === 0) await ready(socket.writableFd, true, timeoutMs, "The other side does not read");
    else along = [];
    left = left.subarray(sent);
  }
}
