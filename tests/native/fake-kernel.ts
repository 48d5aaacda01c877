/** A kernel's device-mapper without one: a child process whose ioctls are answered by dm-fake-kernel.cc. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { packageRoot } from "../../src/native";

const SOURCE = path.join(packageRoot, "tests", "native", "dm-fake-kernel.cc");
const COMPILED_SOURCES = path.resolve(__dirname, "..", "..", "src");

export interface Failure {
  code: string;
  syscall: string;
  target: string;
  message: string;
  step?: number;
  undoErrors?: string[];
}

export interface Outcome {
  result: unknown;
  failure: Failure | null;
  /** The ioctls on devices, "<number> <name>", texts of messages, "message <text>", and the cookies. */
  log: string[];
}

export interface Seen<T> {
  result: T;
  log: string[];
}

export class FakeKernel {
  readonly #folder = mkdtempSync(path.join(tmpdir(), "stratis-dm-"));
  readonly #library = path.join(this.#folder, "fake.so");

  constructor() {
    const options = ["-std=c++17", "-O1", "-shared", "-fPIC"];
    execFileSync("c++", [...options, "-o", this.#library, SOURCE, "-ldl", "-lpthread"]);
  }

  /** Runs an exported function of a compiled module in the child. Throws what it rejects with. */
  call<T>(
    module: string,
    name: string,
    args: unknown[] = [],
    settings: Record<string, string> = {},
  ): Seen<T> {
    const call = `return await require(${JSON.stringify(module)})[${JSON.stringify(name)}](...${JSON.stringify(args)});`;
    const { result, failure, log } = this.run(call, settings);
    if (failure !== null) throw new Error(failure.message);
    return { result: result as T, log };
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /**
   * Runs `body` beside the fake kernel: the inside of an async function of `native` and `source`, which loads a module
   * below src/. It returns a value fit for JSON, in which bigint becomes number. `settings`: see dm-fake-kernel.cc.
   */
  run(body: string, settings: Record<string, string> = {}): Outcome {
    const log = path.join(this.#folder, "log");
    rmSync(log, { force: true });
    const script = `
      const source = (name) => require(${JSON.stringify(COMPILED_SOURCES)} + "/" + name + ".js");
      const native = source("native/index").native();
      const spread = (e) => ({ ...e, message: e.message });
      (async () => { ${body} })().then((result) => ({ result, failure: null }), (e) => ({ failure: spread(e) }))
        .then((o) => console.log(JSON.stringify(o, (_, v) => (typeof v === "bigint" ? Number(v) : v))));`;
    // A sanitizer's runtime, if there is one, must stay the first library.
    const preload = [process.env["LD_PRELOAD"], this.#library].filter((part) => part !== undefined).join(" ");
    const output = execFileSync(process.execPath, ["-e", script], {
      encoding: "utf8",
      env: { ...process.env, LD_PRELOAD: preload, FAKE_LOG: log, ...settings },
      timeout: 60_000,
    });
    const outcome = JSON.parse(output) as Outcome;
    return { ...outcome, log: readLog(log) };
  }
}

function readLog(file: string): string[] {
  try {
    return readFileSync(file, "utf8").trimEnd().split("\n");
  } catch (error) {
    // No ioctl about a device was made.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw error;
  }
}
