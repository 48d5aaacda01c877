/** QEMU's monitor: commands, and waiting for events. */
import type { Socket } from "node:net";
import { onLines, sendLine } from "./lines";

interface QmpMessage {
  QMP?: unknown;
  return?: unknown;
  error?: { class: string; desc: string };
  id?: number;
  event?: string;
  data?: Record<string, unknown>;
}

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
  what: string;
}

const COMMAND_MILLISECONDS = 30_000;

export class Qmp {
  readonly #waiting = new Map<number, Waiting>();
  readonly #listeners = new Set<(event: string, data: Record<string, unknown>) => void>();
  #lastId = 0;

  constructor(private readonly socket: Socket) {
    onLines(socket, (message) => {
      this.#receive(message as QmpMessage);
    });
    socket.on("error", () => undefined); // "close" follows and tells those who wait
    socket.on("close", () => {
      for (const { reject, what } of this.#waiting.values())
        reject(new Error(`QEMU ended before it answered ${what}`));
      this.#waiting.clear();
    });
  }

  #receive(message: QmpMessage): void {
    if (message.event !== undefined) {
      for (const listener of this.#listeners) listener(message.event, message.data ?? {});
      return;
    }
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id);
    if (waiting === undefined) return; // the greeting
    this.#waiting.delete(message.id ?? 0);
    if (message.error === undefined) waiting.resolve(message.return);
    else waiting.reject(new Error(`QEMU refused ${waiting.what}: ${message.error.desc}`));
  }

  async command(execute: string, args: Record<string, unknown> = {}): Promise<unknown> {
    const id = ++this.#lastId;
    const what = `${execute} ${JSON.stringify(args)}`;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject, what });
        timer = setTimeout(() => {
          reject(new Error(`QEMU did not answer ${what} within ${COMMAND_MILLISECONDS} ms`));
        }, COMMAND_MILLISECONDS);
        sendLine(this.socket, { execute, arguments: args, id });
      });
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(id);
    }
  }

  /** Resolves with the first event that `matches`. Ask before the command that causes it. */
  event(
    matches: (event: string, data: Record<string, unknown>) => boolean,
    timeoutMs: number,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const listener = (event: string, data: Record<string, unknown>): void => {
        if (!matches(event, data)) return;
        done();
        resolve();
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`QEMU did not report the awaited event within ${timeoutMs} ms`));
      }, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#listeners.delete(listener);
      };
      this.#listeners.add(listener);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
