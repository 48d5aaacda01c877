/** Our command in this process, which spares its start; with something to read, in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { main } from "../../../cli/main";
import { COMMAND } from "../cli-support/run";
import type { Outcome } from "./comparable";
import type { Invocation, Program } from "./scene";

const RUN_TIMEOUT_MS = 40_000;

/** Standard input is a file, which can be opened by the name /dev/stdin, where Node's pipes are sockets. */
async function inProcessOfItsOwn({ words, input, env, cwd }: Invocation): Promise<Outcome> {
  const path = join(cwd, "input");
  await writeFile(path, input ?? "");
  const file = await open(path);
  try {
    const child = spawn(process.execPath, [COMMAND, ...words], {
      stdio: [file.fd, "pipe", "pipe"],
      env: { PATH: process.env["PATH"], ...env },
      cwd,
      timeout: RUN_TIMEOUT_MS,
    });
    const { stdout: out, stderr: err } = child;
    if (out === null || err === null) throw new Error("the command was started without pipes");
    const exited = once(child, "close") as Promise<[number | null]>;
    const [stdout, stderr, [code]] = await Promise.all([text(out), text(err), exited]);
    return { code: code ?? -1, stdout, stderr };
  } finally {
    await file.close();
  }
}

/** Working directory and time zone are the process's, so that one command runs at a time. */
async function inThisProcess({ words, env, cwd }: Invocation): Promise<Outcome> {
  const output = { stdout: "", stderr: "" };
  const before = { cwd: process.cwd(), zone: process.env["TZ"] };
  process.chdir(cwd);
  process.env["TZ"] = env["TZ"];
  try {
    const code = await main(words, {
      stdout: { write: (part) => void (output.stdout += part) },
      stderr: { write: (part) => void (output.stderr += part) },
      env,
    });
    return { code, ...output };
  } finally {
    process.chdir(before.cwd);
    if (before.zone === undefined) delete process.env["TZ"];
    else process.env["TZ"] = before.zone;
  }
}

export const ours: Program = (invocation) =>
  invocation.input === null ? inThisProcess(invocation) : inProcessOfItsOwn(invocation);
