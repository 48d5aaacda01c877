/** The daemon's life: start-up in order, service until something ends it, orderly exit (system.md §6, §7, §11). */
import { randomBytes } from "node:crypto";
import type { Engine, EngineChange } from "../engine/engine";
import { errorText } from "../engine/errors";
import type { WriteRecord } from "../history/recorder";
import { logger } from "../log";
import { AlertHooks } from "./alerts/hooks";
import { watchClock, watchDeviceMapper, watchUdev, type EventSource } from "./event-sources";
import type { SimErrors } from "./options";
import type { Ipc, Program } from "./program";
import { ServiceManager } from "./service-manager";
import { VERSION } from "./version";

const log = logger("stratisd::stratis::run");

/** How long an exit waits for operations that are running. */
const SHUTDOWN_MILLISECONDS = 25_000;

type Ending = { by: "signal"; signal: string } | { by: "task"; task: string; error: unknown };

export interface EngineChoice {
  readonly simulator: boolean;
  /** Only for the simulator. */
  readonly simErrors: SimErrors | null;
  /** How long the simulator's operations in place take. */
  readonly simInPlaceSeconds: number;
}

interface StartableEngine extends Engine {
  initialize(): Promise<void>;
}

/** Loads only the engine that is wanted: the simulator needs no addon for itself, the real one no simulator. */
async function makeEngine(choice: EngineChoice): Promise<StartableEngine> {
  if (choice.simulator) return await makeSimulator(choice);
  log.info("Using StratEngine");
  const { RealEngine } = await import("../engine/real/engine.js");
  return new RealEngine();
}

async function makeSimulator({ simErrors, simInPlaceSeconds }: EngineChoice): Promise<StartableEngine> {
  log.info("Using SimEngine");
  const { SimEngine } = await import("../engine/sim/engine.js");
  const { RandomErrors, untroubled } = await import("../engine/sim/conditions.js");
  let conditions = untroubled;
  if (simErrors !== null) {
    const { probability } = simErrors;
    const seed = simErrors.seed ?? randomBytes(8).readBigUInt64BE();
    log.warn(`Operations fail at random; the same again: --sim-errors ${probability},${seed}`);
    conditions = new RandomErrors({ probability, seed });
  }
  return new SimEngine({
    begin: (operation) => conditions.begin(operation),
    inPlaceSeconds: simInPlaceSeconds,
  });
}

export interface Observers {
  /** Is given the engine before it does anything. */
  readonly onEngine: (engine: Engine) => void;
  /** Is called when clients are answered. */
  readonly onServing: () => void;
  readonly history: WriteRecord;
}

/** Resolves to the exit code. */
export async function runDaemon(
  program: Program,
  choice: EngineChoice,
  { onEngine, onServing, history }: Observers,
): Promise<number> {
  let end: (ending: Ending) => void = () => undefined;
  const ended = new Promise<Ending>((resolve) => {
    end = resolve;
  });
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.on(signal, () => {
      end({ by: "signal", signal });
    });

  const manager = new ServiceManager(process.env);
  manager.starting();
  log.info(`stratis daemon version ${VERSION} started`);
  const daemon = new Daemon(program, await makeEngine(choice), history, (task, error) => {
    end({ by: "task", task, error });
  });
  onEngine(daemon.engine);
  try {
    await daemon.start();
  } catch (error) {
    log.error(`Failed to start up stratisd engine: ${errorText(error)}; exiting`);
    process.stderr.write(`${program.failureLine(errorText(error))}\n`);
    await daemon.stop();
    return 1;
  }
  manager.serving(daemon.engine);
  onServing();
  const ending = await ended;
  manager.stopping();
  if (ending.by === "signal") {
    log.info(`Caught ${ending.signal}; exiting...`);
    return (await daemon.stop()) ? 0 : 1;
  }
  const text = errorText(ending.error);
  log.error(`The ${ending.task} task exited with an error: ${text}; shutting down ${program.name}...`);
  process.stderr.write(`${program.failureLine(text)}\n`);
  await daemon.stop();
  return 1;
}

class Daemon {
  readonly #sources: EventSource[] = [];
  readonly #alerts = new AlertHooks();
  #ipc: Ipc | null = null;

  constructor(
    private readonly program: Program,
    readonly engine: StartableEngine,
    private readonly history: WriteRecord,
    readonly fail: (task: string, error: unknown) => void,
  ) {}

  async start(): Promise<void> {
    /** What changed before there was anybody to tell it to. */
    const untold: EngineChange[] = [];
    const target = {
      engine: this.engine,
      emit: (changes: EngineChange[]) => {
        if (this.#ipc === null) {
          untold.push(...changes);
          return;
        }
        this.#ipc.emitChanges(changes);
        // Their programs may ask the daemon. What the simulator has is nobody's concern.
        if (!this.engine.isSimulator) this.#alerts.look(this.engine);
      },
      fail: this.fail,
    };
    // Before the search for devices, so that none slips in between.
    if (!this.engine.isSimulator) this.#sources.push(watchUdev(target));
    // Beside the search. If it fails, that is for afterwards: pools are set up whoever can be told.
    const prepared = this.program.prepareIpc(this.engine, this.history);
    prepared.catch(() => undefined);
    await this.engine.initialize();
    const serve = await prepared;
    this.#ipc = await serve();
    // Of what came while it began to serve it may not know.
    target.emit(untold);
    void this.#ipc.failed.then((error) => {
      this.fail("IPC", error);
    });
    if (this.engine.isSimulator) log.info("devicemapper event monitoring disabled in sim engine");
    else this.#sources.push(watchDeviceMapper(target));
    this.#sources.push(watchClock(target));
  }

  /**
   * False when it gave up: running operations may wait for a device or a child process that hangs, and an exit must not
   * wait for ever.
   */
  async stop(): Promise<boolean> {
    for (const source of this.#sources) source.stop();
    this.#alerts.stop();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, SHUTDOWN_MILLISECONDS, false);
    });
    const inTime = await Promise.race([this.#leave(), late]);
    clearTimeout(timer);
    if (!inTime) log.error("Operations are still running; exiting without waiting for them any longer");
    return inTime;
  }

  async #leave(): Promise<true> {
    try {
      await this.engine.shutdown();
      await this.#ipc?.close();
    } catch (error) {
      log.warn(`The orderly exit was not complete: ${errorText(error)}`);
    }
    return true;
  }
}
