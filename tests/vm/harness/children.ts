/** Programs that run a guest: they end with this process, whatever way this process ends. */
import { spawn, type ChildProcess, type StdioOptions } from "node:child_process";

const alive = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => {
    process.exit(130);
  });

/** `ended` is called once, with the reason. */
export function spawnGuest(
  program: string,
  args: readonly string[],
  stdio: StdioOptions,
  ended: (reason: string) => void,
): ChildProcess {
  // The kernel kills it even when this process gets SIGKILL.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", "--", program, ...args], { stdio });
  alive.add(child);
  let told = false;
  const end = (reason: string): void => {
    alive.delete(child);
    if (told) return;
    told = true;
    ended(reason);
  };
  child.on("error", (error) => {
    end(error.message);
  });
  child.on("close", (status, signal) => {
    end(`status ${status ?? signal ?? "unknown"}`);
  });
  return child;
}
