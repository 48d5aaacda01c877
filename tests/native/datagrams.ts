/** A datagram socket that a test sends to; Node has none, so it is held by another language. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

/** Prints each message as a line of hexadecimal digits; after "stop" on standard input it reads no more. */
const RECEIVER = `
import socket, sys, threading
receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1].replace("@", "\\0"))
print("ready", flush=True)
if sys.argv[2] == "read":
    while True: print(receiver.recv(1 << 20).hex(), flush=True)
sys.stdin.read()
`;
const WAIT_MILLISECONDS = 20_000;

export interface Receiver {
  /** The next message. Rejects when none comes in time. */
  next(): Promise<Buffer>;
}

/** `name`: a path, or "@" and a name in the abstract namespace. With "hold", messages stay in the socket. */
export async function receiveAt(
  context: Pick<TestContext, "after">,
  name: string,
  mode: "read" | "hold" = "read",
): Promise<Receiver> {
  // A sanitizer's runtime is for this process only.
  const env = { ...process.env };
  delete env["LD_PRELOAD"];
  const child = spawn("python3", ["-c", RECEIVER, name, mode], { stdio: ["pipe", "pipe", "inherit"], env });
  context.after(() => child.kill());
  const lines: string[] = [];
  const reader = createInterface(child.stdout);
  reader.on("line", (line) => lines.push(line));
  const nextLine = async (): Promise<string> => {
    const signal = AbortSignal.timeout(WAIT_MILLISECONDS);
    if (lines.length === 0) await once(reader, "line", { signal });
    return lines.shift() ?? "";
  };
  await nextLine();
  return { next: async () => Buffer.from(await nextLine(), "hex") };
}

/** The address of such a name, as sendDatagram takes it. */
export const addressOf = (name: string): Buffer => Buffer.from(name.replace(/^@/, "\0"));
