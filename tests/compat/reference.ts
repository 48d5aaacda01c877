/** stratis-cli as a program that scenes can be run with. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { packageRoot } from "../../src/native";
import type { Outcome } from "../dbus/cli-differential/comparable";
import type { Program } from "../dbus/cli-differential/scene";
import type { Surroundings } from "./lanes";
import { pythonEnvironment } from "./lanes";

const RUNNER = join(packageRoot, "tests/compat/reference.py");
const RUN_TIMEOUT_MS = 60_000;

export interface Reference {
  readonly run: Program;
  readonly end: () => Promise<void>;
}

export function startReference(surroundings: Surroundings): Reference {
  const program = join(surroundings.sources, "bin/stratis");
  const child = spawn(surroundings.python, [RUNNER, program], {
    stdio: ["pipe", "pipe", "inherit"],
    env: pythonEnvironment(surroundings),
  });
  const exited = once(child, "exit");
  const answers = createInterface({ input: child.stdout });
  return {
    run: async (invocation) => {
      const answer = once(answers, "line", { signal: AbortSignal.timeout(RUN_TIMEOUT_MS) });
      const gone = exited.then(() => {
        throw new Error(`stratis-cli's process ended while it ran ${invocation.words.join(" ")}`);
      });
      child.stdin.write(`${JSON.stringify(invocation)}\n`);
      const [line] = (await Promise.race([answer, gone])) as [string];
      return JSON.parse(line) as Outcome;
    },
    end: async () => {
      child.stdin.end();
      await exited;
    },
  };
}
