/**
 * Calls an administrator's programs when the state of a pool changes: every executable of a folder, one after another,
 * without a shell, with the facts in its environment.
 */
import type { Engine } from "../../engine/engine";
import { errorText } from "../../engine/errors";
import { logger } from "../../log";
import { native, type RunOptions, type RunResult } from "../../native";
import { Conditions, type AlertEvent } from "./conditions";
import { trustedPrograms } from "./trusted";

export const ALERT_FOLDER = "/etc/stratis/alerts.d";

/** A program that only sends a message needs seconds; one that hangs must not keep others from being called. */
const PROGRAM_MS = 30_000;
/** Events that wait. A flood of them would tell nothing that the first ones do not. */
const MOST_WAITING = 64;
const MOST_LOGGED = 500;
const PATH = "/usr/sbin:/usr/bin:/sbin:/bin";

const log = logger("stratisd::alerts");

export type Run = (file: string, args: string[], options: RunOptions) => Promise<RunResult>;

const shortened = (text: string): string => {
  const trimmed = text.trim();
  return trimmed.length > MOST_LOGGED ? `${trimmed.slice(0, MOST_LOGGED)}...` : trimmed;
};

/** NAME=value of all that a program is told. */
export const environmentOf = ({ alert, state, facts }: AlertEvent): string[] => [
  `PATH=${PATH}`,
  "LC_ALL=C.UTF-8",
  `STRATIS_ALERT=${alert}`,
  `STRATIS_ALERT_STATE=${state}`,
  ...Object.entries(facts).map(([name, value]) => `STRATIS_${name}=${value}`),
];

export class AlertHooks {
  readonly #conditions = new Conditions();
  readonly #waiting: AlertEvent[] = [];
  #lost = 0;
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(
    private readonly folder = ALERT_FOLDER,
    private readonly run: Run = (...call) => native().run(...call),
  ) {}

  /** Looks at all pools. Returns at once; programs run one at a time. */
  look(engine: Pick<Engine, "pools">): void {
    for (const event of this.#conditions.look(engine)) this.#enqueue(event);
  }

  /** No further program is begun. One that runs ends with the daemon, at the latest. */
  stop(): void {
    this.#stopped = true;
    this.#waiting.length = 0;
  }

  /** For tests: resolves when no program runs and none waits. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  #enqueue(event: AlertEvent): void {
    if (this.#stopped) return;
    log.info(
      `Alert ${event.alert} of pool "${event.facts["POOL_NAME"] ?? ""}" ${event.state === "begin" ? "begins" : "has ended"}`,
    );
    if (this.#waiting.length >= MOST_WAITING) {
      if (this.#lost === 0)
        log.warn(`More than ${MOST_WAITING} alerts wait for their programs; further ones are lost`);
      this.#lost += 1;
      return;
    }
    this.#waiting.push(event);
    this.#running ??= this.#work();
  }

  /** Never rejects. */
  async #work(): Promise<void> {
    for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
      try {
        await this.#tell(event);
      } catch (error) {
        log.warn(`The programs of ${this.folder} could not be called: ${errorText(error)}`);
      }
    }
    if (this.#lost > 0)
      log.warn(`${this.#lost} alerts were lost, for which programs should have been called`);
    this.#lost = 0;
    this.#running = null;
  }

  async #tell(event: AlertEvent): Promise<void> {
    const { programs, refused } = await trustedPrograms(this.folder);
    for (const why of refused) log.warn(`Not called for an alert: ${why}`);
    for (const program of programs) {
      if (this.#stopped) return;
      await this.#call(program, event);
    }
  }

  async #call(program: string, event: AlertEvent): Promise<void> {
    const what = `${program}, called for alert ${event.alert}`;
    try {
      const environment = environmentOf(event);
      const { status, signal, stdout, stderr } = await this.run(program, [], {
        timeoutMs: PROGRAM_MS,
        environment,
      });
      const said = shortened(`${stdout}${stderr}`);
      if (status === 0) log.debug(`${what}, succeeded${said === "" ? "" : `: ${said}`}`);
      else log.warn(`${what}, failed with ${signal ?? `status ${status ?? "unknown"}`}: ${said}`);
    } catch (error) {
      log.warn(`${what}, failed: ${errorText(error)}`);
    }
  }
}
