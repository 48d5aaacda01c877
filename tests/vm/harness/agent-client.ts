/** Commands in the guest, seen from the host: directly at the agent's port, or through a guest that is kept. */
import type { Socket } from "node:net";
import type { AgentMessage, AgentRequest } from "../guest/agent";
import { onLines, sendLine } from "./lines";

export interface ExecOptions {
  cwd?: string;
  env?: Record<string, string>;
  input?: string;
  /** Then the command and its process group are killed. Default 120000. */
  timeoutMs?: number;
  /** Called with output as it comes. */
  onOutput?: (text: string, stream: "out" | "err") => void;
}

export interface ExecResult {
  /** null: ended by a signal. */
  status: number | null;
  signal: string | null;
  timedOut: boolean;
  stdout: string;
  stderr: string;
}

interface Running {
  resolve: (result: ExecResult) => void;
  reject: (error: Error) => void;
  stdout: string;
  stderr: string;
  onOutput: ExecOptions["onOutput"];
  what: string;
}

const DEFAULT_MILLISECONDS = 120_000;
/** The agent itself keeps the command's limit; ours only covers an agent that has died. */
const GRACE_MILLISECONDS = 30_000;

export class AgentClient {
  readonly #running = new Map<number, Running>();
  #lastId = 0;
  #closed: string | null = null;
  #helloed: (version: string) => void = () => undefined;
  /** Node's version in the guest, once the agent is up. */
  readonly hello = new Promise<string>((resolve) => {
    this.#helloed = resolve;
  });

  constructor(private readonly socket: Socket) {
    onLines(socket, (message) => {
      this.#receive(message as AgentMessage);
    });
    socket.on("error", () => undefined); // "close" follows and tells those who wait
    socket.on("close", () => {
      this.#fail("the connection to the guest was lost");
    });
  }

  #fail(reason: string): void {
    this.#closed ??= reason;
    for (const { reject, what } of this.#running.values())
      reject(new Error(`No result of ${what}: ${reason}`));
    this.#running.clear();
  }

  #receive(message: AgentMessage): void {
    if ("hello" in message) {
      this.#helloed(message.hello);
      return;
    }
    const running = this.#running.get(message.id);
    if (running === undefined) return;
    if ("out" in message) {
      running.stdout += message.out;
      running.onOutput?.(message.out, "out");
    } else if ("err" in message) {
      running.stderr += message.err;
      running.onOutput?.(message.err, "err");
    } else {
      this.#running.delete(message.id);
      if ("error" in message) running.reject(new Error(message.error));
      else {
        const { status, signal, timedOut } = message;
        running.resolve({ status, signal, timedOut, stdout: running.stdout, stderr: running.stderr });
      }
    }
  }

  /** Runs a program (by PATH) as root; a text is a script for bash. Resolves whatever its status is. */
  async exec(command: string[] | string, options: ExecOptions = {}): Promise<ExecResult> {
    const argv = typeof command === "string" ? ["/bin/bash", "-c", command] : command;
    const what = `"${argv.join(" ")}" in the guest`;
    if (this.#closed !== null) throw new Error(`Unable to run ${what}: ${this.#closed}`);
    const { timeoutMs = DEFAULT_MILLISECONDS, onOutput, ...rest } = options;
    const id = ++this.#lastId;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<ExecResult>((resolve, reject) => {
        this.#running.set(id, { resolve, reject, stdout: "", stderr: "", onOutput, what });
        timer = setTimeout(() => {
          reject(new Error(`No result of ${what} after ${timeoutMs} ms: the guest's agent does not answer`));
        }, timeoutMs + GRACE_MILLISECONDS);
        sendLine(this.socket, { id, argv, timeoutMs, ...rest } satisfies AgentRequest);
      });
    } finally {
      clearTimeout(timer);
      this.#running.delete(id);
    }
  }

  /** As exec; throws, with all that the command said, unless it ended with 0. Returns its standard output. */
  async mustExec(command: string[] | string, options: ExecOptions = {}): Promise<string> {
    const result = await this.exec(command, options);
    if (result.status === 0) return result.stdout;
    const end = result.timedOut
      ? "ran into its time limit"
      : `ended with ${result.status ?? result.signal ?? "?"}`;
    const text = typeof command === "string" ? command : command.join(" ");
    throw new Error(`In the guest, "${text}" ${end}: ${result.stdout}${result.stderr}`);
  }

  close(): void {
    this.#fail("it was closed");
    this.socket.destroy();
  }
}
