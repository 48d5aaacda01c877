/** Asks stratisd-min: one connection for each request (system.md §18). */
import { getSystemErrorMap } from "node:util";
import { isLosslessNumber, LosslessNumber, parse } from "lossless-json";
import { closeDescriptor } from "../bus/descriptors";
import { jsonText } from "../dbus/json";
import { isNativeError, native, type UnixSocket } from "../native";
import { ExchangeError, receiveMessage, sendMessage } from "./exchange";
import { MOST_RESPONSE_BYTES, SOCKET } from "./socket";

/** Why there is no result. The message is all that a user is told. */
export class ClientError extends Error {
  override name = "ClientError";
}

/** Whole numbers as bigint; the protocol has no others, but a report may. */
const exact = (text: string): unknown =>
  parse(text, undefined, (digits) => (/^-?\d+$/.test(digits) ? BigInt(digits) : new LosslessNumber(digits)));

function parsed(text: string): unknown {
  try {
    return exact(text);
  } catch {
    // More may come.
    return undefined;
  }
}

/** The words that stratis-min has for errors of the system. */
export function ioErrorText(error: { errno?: number | undefined; message: string }): string {
  const number = Math.abs(error.errno ?? 0);
  const [, words] = getSystemErrorMap().get(-number) ?? [];
  if (words === undefined) return `IO error: ${error.message}`;
  return `IO error: ${words.charAt(0).toUpperCase()}${words.slice(1)} (os error ${number})`;
}

function connect(path: string): UnixSocket {
  try {
    return new (native().UnixSocket)(Buffer.from(path));
  } catch (error) {
    if (isNativeError(error)) throw new ClientError(ioErrorText(error), { cause: error });
    throw error;
  }
}

/** Seconds: a daemon that works reads at once. */
const SEND_MS = 30_000;

/**
 * The payload of the answer to a request. `fd` goes along with it. Waits for as long as the daemon works. Rejects with
 * ClientError.
 */
export async function ask(
  name: string,
  value?: unknown,
  { fd, socket: path = SOCKET }: { fd?: number | undefined; socket?: string } = {},
): Promise<unknown> {
  const socket = connect(path);
  try {
    const request = jsonText(value === undefined ? name : { [name]: value });
    await sendMessage(socket, request, { descriptors: fd === undefined ? [] : [fd], timeoutMs: SEND_MS });
    const { content, descriptors } = await receiveMessage(socket, {
      parse: parsed,
      mostBytes: MOST_RESPONSE_BYTES,
      timeoutMs: null,
      what: "The answer of stratisd-min",
    });
    descriptors.forEach(closeDescriptor);
    return payload(name, content);
  } catch (error) {
    if (error instanceof ExchangeError) throw new ClientError(error.message, { cause: error });
    if (isNativeError(error)) throw new ClientError(ioErrorText(error), { cause: error });
    throw error;
  } finally {
    socket.close();
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) && !isLosslessNumber(value);

function payload(name: string, answer: unknown): unknown {
  if (isObject(answer)) {
    if (typeof answer["Err"] === "string") throw new ClientError(answer["Err"]);
    const { Ok: ok } = answer;
    if (isObject(ok) && Object.hasOwn(ok, name)) return ok[name];
  }
  throw new ClientError(`stratisd-min sent no answer to ${name} but ${jsonText(answer).slice(0, 200)}`);
}

/** The value of an answer that has a return code. Rejects with ClientError, the daemon's words, when that is not 0. */
export async function askChecked(...request: Parameters<typeof ask>): Promise<unknown> {
  const answer = await ask(...request);
  if (!Array.isArray(answer) || answer.length !== 3 || typeof answer[2] !== "string")
    throw new ClientError(
      `stratisd-min sent something else than a value, a code and a text: ${jsonText(answer)}`,
    );
  const [value, code, text] = answer as [unknown, unknown, string];
  if (code !== 0n) throw new ClientError(text);
  return value;
}
