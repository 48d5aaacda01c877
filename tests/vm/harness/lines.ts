/** Connections that carry lines of JSON: QMP, the agent, the control socket of a guest that is kept. */
import { createConnection, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const RETRY_MILLISECONDS = 50;

/** Calls back with each line that arrives, parsed. */
export function onLines(socket: Socket, handle: (message: unknown) => void): void {
  let pending = "";
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    const lines = (pending + chunk).split("\n");
    pending = lines.pop() ?? "";
    for (const line of lines) if (line.trim() !== "") handle(JSON.parse(line));
  });
}

export function sendLine(socket: Socket, message: unknown): void {
  socket.write(`${JSON.stringify(message)}\n`);
}

export function connectOnce(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path);
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
  });
}

/** Tries again while nobody listens at `path` yet; `stillWorth` throws when waiting has become pointless. */
export async function connectTo(path: string, timeoutMs: number, stillWorth: () => void): Promise<Socket> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    stillWorth();
    try {
      return await connectOnce(path);
    } catch (error) {
      if (Date.now() > end)
        throw new Error(`Nobody listens at ${path} after ${timeoutMs} ms: ${String(error)}`, {
          cause: error,
        });
    }
    await sleep(RETRY_MILLISECONDS);
  }
}
