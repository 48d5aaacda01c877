/**
 * What the service manager is told about this process, by the protocol of sd_notify(3): how it is doing, for people,
 * and that its event loop still turns, for the watchdog. Without a service manager nothing is sent.
 */
import type { Engine } from "../engine/engine";
import { errorText } from "../engine/errors";
import { logger } from "../log";
import { native } from "../native";

const log = logger("stratisd::stratis::run");

/** How often the status is looked at, if the watchdog does not want more. */
const LOOK_MILLISECONDS = 10_000;
/** Of the watchdog's interval: one message may be late, or find no room. */
const PART_OF_INTERVAL = 3;
/** The search for pools checks their metadata, which has no bound that a unit could name. */
const MORE_TIME_MILLISECONDS = 60_000;

type Send = (address: Uint8Array, data: Uint8Array) => boolean;

/** null when there is no service manager, or it listens in a way that this program does not know. */
function notifyAddress(env: NodeJS.ProcessEnv): Uint8Array | null {
  const address = env["NOTIFY_SOCKET"] ?? "";
  return /^[/@]./.test(address) ? Buffer.from(address.replace(/^@/, "\0")) : null;
}

/** Milliseconds between signs of life that are wanted of this process; null: none are. */
export function watchdogInterval(env: NodeJS.ProcessEnv, pid: number): number | null {
  const text = env["WATCHDOG_USEC"] ?? "";
  const forUs = (env["WATCHDOG_PID"] ?? String(pid)) === String(pid);
  return forUs && /^[1-9]\d{0,15}$/.test(text) ? Number(text) / 1000 : null;
}

/** "3 pools, 1 stopped" */
export function statusText(engine: Pick<Engine, "pools" | "stoppedPools">): string {
  const running = engine.pools().length;
  const stopped = engine.stoppedPools().length;
  const text = running === 0 ? "No pools" : running === 1 ? "1 pool" : `${running} pools`;
  return stopped === 0 ? text : `${text}, ${stopped} stopped`;
}

export class ServiceManager {
  readonly #address: Uint8Array | null;
  readonly #watchdogMs: number | null;
  readonly #send: Send;
  #timer: NodeJS.Timeout | undefined;
  #status = "";
  #failed = false;

  constructor(
    env: NodeJS.ProcessEnv,
    pid = process.pid,
    send: Send = (...message) => native().sendDatagram(...message),
  ) {
    this.#address = notifyAddress(env);
    this.#watchdogMs = watchdogInterval(env, pid);
    this.#send = send;
  }

  /** The search for pools begins. As long as the event loop turns, it may take its time. */
  starting(): void {
    this.#repeat(MORE_TIME_MILLISECONDS / PART_OF_INTERVAL, () => {
      this.#notify("STATUS=Setting up pools", `EXTEND_TIMEOUT_USEC=${MORE_TIME_MILLISECONDS * 1000}`);
    });
  }

  /** The daemon serves. */
  serving(engine: Pick<Engine, "pools" | "stoppedPools">): void {
    const watchdog = this.#watchdogMs;
    const interval =
      watchdog === null ? LOOK_MILLISECONDS : Math.min(LOOK_MILLISECONDS, watchdog / PART_OF_INTERVAL);
    this.#notify("READY=1");
    this.#repeat(interval, () => {
      const status = `STATUS=${statusText(engine)}`;
      const lines = [
        ...(status === this.#status ? [] : [status]),
        ...(watchdog === null ? [] : ["WATCHDOG=1"]),
      ];
      if (lines.length > 0 && this.#notify(...lines)) this.#status = status;
    });
  }

  /** The exit begins. Nothing more is sent. */
  stopping(): void {
    clearInterval(this.#timer);
    this.#notify("STOPPING=1", "STATUS=Waiting for operations to end");
  }

  /** At once, and then again and again. */
  #repeat(milliseconds: number, action: () => void): void {
    clearInterval(this.#timer);
    if (this.#address === null) return;
    action();
    this.#timer = setInterval(action, milliseconds).unref();
  }

  /** Whether the message was taken. */
  #notify(...lines: string[]): boolean {
    if (this.#address === null) return false;
    try {
      return this.#send(this.#address, Buffer.from(lines.join("\n")));
    } catch (error) {
      // Once: the next message comes in a few seconds.
      if (!this.#failed)
        log.warn(`Could not tell the service manager about this service: ${errorText(error)}`);
      this.#failed = true;
      return false;
    }
  }
}
