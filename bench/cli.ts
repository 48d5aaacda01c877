/** Wall time of the `stratis` command, its start included, beside stratis-cli's where that can be had. Prints a table. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { main as stratis } from "../cli/main";
import { SimEngine } from "../src/engine/sim/engine";
import { DbusService } from "../src/dbus/service";
import { logger } from "../src/log";
import { COMMAND } from "../tests/dbus/cli-support/run";
import { startBus } from "../tests/dbus/support/bus";
import { NotRunError } from "../tests/compat/not-run";
import { pythonProgram } from "../tests/compat/python";
import { stratisCliFolder } from "../tests/compat/sources";
import { median } from "./median";

const RUNS = 9;
const MANY = 1000;
const AT_ONCE = 50;

type Env = Record<string, string | undefined>;

async function milliseconds(command: readonly string[], env: Env): Promise<number> {
  const [program = "", ...args] = command;
  const times: number[] = [];
  for (let run = 0; run < RUNS; run += 1) {
    const started = performance.now();
    const [code] = (await once(spawn(program, args, { env, stdio: "ignore" }), "exit")) as [number | null];
    if (code !== 0) throw new Error(`${command.join(" ")} ended with code ${code ?? "none"}`);
    times.push(performance.now() - started);
  }
  return median(times);
}

/** How stratis-cli is started; null, and a line that says why, where it cannot be had. */
function reference(): { command: string[]; env: Env } | null {
  try {
    const folder = stratisCliFolder();
    const env = { PYTHONPATH: join(folder, "src"), PYTHONDONTWRITEBYTECODE: "1" };
    return { command: [pythonProgram(), join(folder, "bin/stratis")], env };
  } catch (error) {
    if (!(error instanceof NotRunError)) throw error;
    console.log(`stratis-cli is not measured. ${error.message}`);
    return null;
  }
}

async function makeFilesystems(env: Env): Promise<void> {
  const names = Array.from({ length: MANY }, (_, index) => `filesystem-${index}`);
  const run = async (...words: string[]): Promise<void> => {
    const code = await stratis(words, { stdout: process.stdout, stderr: process.stderr, env });
    if (code !== 0) throw new Error(`stratis ${words.slice(0, 3).join(" ")} failed`);
  };
  await run("pool", "create", "bench", "/dev/a");
  await run("pool", "set-fs-limit", "bench", String(MANY));
  for (let first = 0; first < MANY; first += AT_ONCE)
    await run("filesystem", "create", "bench", ...names.slice(first, first + AT_ONCE), "--size=1GiB");
}

async function main(): Promise<void> {
  const bus = await startBus();
  const log = logger("stratisd::stratis::bench");
  const service = await DbusService.connect({ address: bus.address, engine: new SimEngine(), log });
  await service.publish();
  const env = { PATH: process.env["PATH"], DBUS_SYSTEM_BUS_ADDRESS: bus.address };
  await makeFilesystems(env);
  const other = reference();
  console.log(
    `\n${"".padEnd(34)}${"this".padStart(10)}${"3.9.0".padStart(10)}${"ratio".padStart(8)}  target`,
  );
  for (const [what, words, target] of [
    ["stratis pool list", ["pool", "list"], "ratio 0.50"],
    [`stratis filesystem list, ${MANY}`, ["filesystem", "list"], "1000 ms"],
  ] as const) {
    const ours = await milliseconds([process.execPath, COMMAND, ...words], env);
    const theirs = other && (await milliseconds([...other.command, ...words], { ...env, ...other.env }));
    const [figure, ratio] =
      theirs === null ? ["–", "–"] : [`${theirs.toFixed(0)} ms`, (ours / theirs).toFixed(2)];
    console.log(
      `${what.padEnd(34)}${`${ours.toFixed(0)} ms`.padStart(10)}${figure.padStart(10)}${ratio.padStart(8)}  ${target}`,
    );
  }
  await service.close();
  await bus.stop();
}

void main();
