import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { native, type RunResult } from "../../src/native";
import { callUntyped, failsWith, temporaryFolder } from "./support";

const MIB = 1 << 20;
const SHELL = "/bin/sh";
const ADDON = JSON.stringify(path.resolve(__dirname, "..", "..", "src", "native"));

const shell = (script: string, options = {}): Promise<RunResult> =>
  native().run(SHELL, ["-c", script], options);

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOENT");
    return false;
  }
}

async function waitUntil(holds: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200 && !holds(); i++) await delay(25);
  assert.ok(holds(), what);
}

test("output, errors and status come back", async () => {
  assert.deepEqual(await shell("echo out; echo err >&2; exit 3"), {
    status: 3,
    signal: null,
    stdout: "out\n",
    stderr: "err\n",
  });
});

test("arguments reach the program as they are", async () => {
  const words = ["", "two words", "$HOME", "'\"\\", "ä\n"];
  const result = await native().run("/usr/bin/printf", ["<%s>", ...words]);
  assert.equal(result.stdout, words.map((word) => `<${word}>`).join(""));
});

test("a secret on standard output comes in locked memory and not as a string", async () => {
  const result = await shell("printf '\\377\\000key'; echo err >&2", { secretOutput: true });
  const { secret, ...others } = result;
  assert.deepEqual(others, { status: 0, signal: null, stdout: "", stderr: "err\n" });
  assert.equal(secret?.equals(native().secretFrom(Buffer.from([255, 0, 107, 101, 121]))), true);
  assert.equal((await shell("exit 1", { secretOutput: true })).secret?.bytes, 0);
  const long = await shell("head -c 70000 /dev/zero", { secretOutput: true });
  assert.deepEqual([long.status, long.secret?.bytes], [0, 4096]);
  await assert.rejects(shell("printf key; sleep 60", { secretOutput: true, timeoutMs: 200 }), {
    code: "ETIMEDOUT",
    message: /^(?!.*key)/,
  });
});

test("a secret is a line of standard input", async () => {
  const stdinLine = native().secretFrom(Buffer.from("pass phrase"));
  const script = 'read -r line && echo "$line" && cat';
  const read = shell(script, { stdinLine });
  stdinLine.wipe();
  assert.equal((await read).stdout, "pass phrase\n");
  await assert.rejects(shell(script, { stdinLine }), { code: "EINVAL", message: /it was wiped/ });
});

test("an end by signal is told apart from a status", async () => {
  const result = await shell("kill -TERM $$");
  assert.equal(result.status, null);
  assert.match(String(result.signal), /^(SIGTERM|15)$/);
});

test("standard input is /dev/null unless given", async () => {
  assert.equal((await shell("readlink /proc/self/fd/0")).stdout, "/dev/null\n");
  assert.equal((await shell("cat", { stdin: Buffer.from("secret") })).stdout, "secret");
  assert.equal((await shell("cat; echo end", { stdin: new Uint8Array(0) })).stdout, "end\n");
});

test("standard input larger than a pipe is fed while output is drained", async () => {
  const stdin = Buffer.alloc(MIB - 1, "0123456789abcdef");
  const result = await shell("cat", { stdin });
  assert.ok(Buffer.from(result.stdout).equals(stdin));
});

test("a program may leave its input unread", async () => {
  const result = await shell("exec 0<&-; echo done", { stdin: Buffer.alloc(5 * MIB) });
  assert.deepEqual([result.status, result.stdout], [0, "done\n"]);
});

test("of more than 1 MiB of output the rest is dropped, and the program ends all the same", async () => {
  const result = await shell(
    "head -c 5242880 /dev/zero | tr '\\0' x; head -c 5242880 /dev/zero | tr '\\0' y >&2",
  );
  assert.equal(result.status, 0);
  assert.ok(result.stdout === "x".repeat(MIB));
  assert.ok(result.stderr === "y".repeat(MIB));
});

test("output that is not UTF-8 is replaced", async () => {
  assert.equal((await shell("printf 'a\\377b'")).stdout, "a\ufffdb");
});

test("a program that takes too long is killed", async () => {
  const started = Date.now();
  await assert.rejects(
    shell("echo $$; exec sleep 600", { timeoutMs: 200 }),
    failsWith({ code: "ETIMEDOUT", syscall: "run", target: SHELL }),
  );
  assert.ok(Date.now() - started < 30000);
});

test("a program that writes without end is killed, too", async () => {
  await assert.rejects(
    native().run("/usr/bin/yes", [], { timeoutMs: 300 }),
    failsWith({ code: "ETIMEDOUT", target: "/usr/bin/yes" }),
  );
});

test("what a program has started is killed together with it", async (context) => {
  const file = path.join(temporaryFolder(context), "pid");
  const script = `sleep 600 & echo $! > "${file}"; wait`;
  await assert.rejects(shell(script, { timeoutMs: 1500 }), failsWith({ code: "ETIMEDOUT" }));
  const pid = Number(fs.readFileSync(file, "utf8"));
  await waitUntil(() => !isAlive(pid), `process ${pid} goes on`);
});

test("nobody waits for what a program leaves behind with the pipes open", async () => {
  const started = Date.now();
  const result = await shell("sleep 60 & echo $!");
  assert.ok(Date.now() - started < 30000);
  const pid = Number(result.stdout);
  assert.ok(isAlive(pid));
  process.kill(pid, "SIGKILL");
});

test("a program that can't be executed rejects with the reason", async (context) => {
  const folder = temporaryFolder(context);
  const plain = path.join(folder, "plain");
  fs.writeFileSync(plain, "", { mode: 0o644 });
  const missing = path.join(folder, "missing");
  const failure = { syscall: "execve" };
  await assert.rejects(native().run(missing, []), failsWith({ ...failure, code: "ENOENT", target: missing }));
  await assert.rejects(native().run(plain, []), failsWith({ ...failure, code: "EACCES", target: plain }));
  await assert.rejects(native().run(folder, []), failsWith({ ...failure, code: "EACCES", target: folder }));
  const huge = "x".repeat(MIB);
  await assert.rejects(native().run(SHELL, [huge]), failsWith({ ...failure, code: "E2BIG", target: SHELL }));
});

test("the environment is what was asked for", async () => {
  process.env["STRATIS_RUN_TEST"] = "leaked";
  const byDefault = (await native().run("/usr/bin/env", [])).stdout.trim().split("\n").sort();
  assert.deepEqual(byDefault, ["LC_ALL=C", `PATH=${process.env["PATH"] ?? ""}`]);
  const own = await native().run("/usr/bin/env", [], { environment: ["A=1", "B=2=3", "C="] });
  assert.equal(own.stdout, "A=1\nB=2=3\nC=\n");
  assert.equal((await native().run("/usr/bin/env", [], { environment: [] })).stdout, "");
});

test("signals are at their defaults and no descriptor is inherited", async () => {
  const descriptor = fs.openSync("/dev/null", "r");
  const { stdout } = await native().run("/bin/cat", ["/proc/self/status"]);
  const masks = stdout.split("\n").filter((line) => /^Sig(Blk|Ign|Cgt)/.test(line));
  assert.equal(masks.length, 3);
  for (const line of masks) assert.match(line, /:\s+0+$/);
  // 3 is the folder itself, which the shell has open while it reads it.
  assert.deepEqual((await shell("cd /proc/self/fd && echo *")).stdout.trim().split(" ").sort(), [
    "0",
    "1",
    "2",
    "3",
  ]);
  fs.closeSync(descriptor);
});

test("many programs at once, without a leak of descriptors or zombies", async () => {
  await shell("true");
  const before = fs.readdirSync("/proc/self/fd").length;
  const results = await Promise.all(
    Array.from({ length: 40 }, (_, i) => shell("cat; exit $0", { stdin: Buffer.from(String(i)) })),
  );
  assert.deepEqual(
    results.map((result) => result.stdout),
    results.map((_, i) => String(i)),
  );
  assert.equal(fs.readdirSync("/proc/self/fd").length, before);
  const children = fs.readFileSync(`/proc/self/task/${process.pid}/children`, "utf8");
  assert.equal(children.trim(), "");
});

/** Starts a process that runs `sleep 300` through the addon; returns it and the pid of the sleep. */
async function processWithChild(
  dieWithParent: boolean,
): Promise<{ parent: ReturnType<typeof spawn>; pid: number }> {
  const script = `
    require(${ADDON}).native().run("/bin/sh", ["-c", 'echo $$ > "$PIDFILE.new"; mv "$PIDFILE.new" "$PIDFILE"; exec sleep 300'],
      { dieWithParent: ${dieWithParent}, environment: ["PATH=/usr/bin:/bin", "PIDFILE=" + process.argv[1]] })
      .catch((error) => { console.error(error); });
    process.on("SIGTERM", () => process.exit(0));`;
  const folder = fs.mkdtempSync("/tmp/stratis-run-test-");
  const pidFile = path.join(folder, "pid");
  const parent = spawn(process.execPath, ["--eval", script, pidFile], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  await waitUntil(() => fs.existsSync(pidFile), "the child has started");
  const pid = Number(fs.readFileSync(pidFile, "utf8"));
  fs.rmSync(folder, { recursive: true });
  return { parent, pid };
}

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  const end = signal === "SIGTERM" ? "exits" : "is killed";
  test(`a child dies when this process ${end}`, async () => {
    const { parent, pid } = await processWithChild(true);
    const ended = once(parent, "exit");
    parent.kill(signal);
    await ended;
    await waitUntil(() => !isAlive(pid), "the child is dead");
  });

  test(`a child that shall live on does so when this process ${end}, and keeps nobody waiting`, async () => {
    const { parent, pid } = await processWithChild(false);
    const ended = once(parent, "exit");
    parent.kill(signal);
    await ended;
    await delay(100);
    assert.ok(isAlive(pid));
    process.kill(pid, "SIGKILL");
  });
}

test("bad arguments are refused", async () => {
  const run = (...args: unknown[]): Promise<unknown> => callUntyped(native(), "run", ...args);
  const refused = failsWith({ code: "EINVAL", syscall: "run" });
  await assert.rejects(run(), refused);
  await assert.rejects(run("sh", []), refused);
  await assert.rejects(run("", []), refused);
  await assert.rejects(run("/bin/sh\0", []), refused);
  await assert.rejects(run(SHELL), refused);
  await assert.rejects(run(SHELL, "-c"), refused);
  await assert.rejects(run(SHELL, [1]), refused);
  await assert.rejects(run(SHELL, ["a\0b"]), refused);
  await assert.rejects(run(SHELL, new Array(65537).fill("x")), refused);
  for (const options of [
    null,
    7,
    { timeoutMs: 0 },
    { timeoutMs: -1 },
    { timeoutMs: 0.5 },
    { timeoutMs: NaN },
    { timeoutMs: 2 ** 31 },
    { stdin: "text" },
    { stdin: [1] },
    { dieWithParent: 1 },
    { secretOutput: "yes" },
    { keyring: 0 },
    { environment: "A=1" },
    { environment: ["A"] },
    { environment: ["=1"] },
    { environment: ["A=\0"] },
  ]) {
    await assert.rejects(run(SHELL, ["-c", "true"], options), refused, JSON.stringify(options));
  }
});

test("a pending run does not keep process.exit waiting", () => {
  const script = `require(${ADDON}).native().run("/bin/sleep", ["300"]); setTimeout(() => process.exit(5), 100);`;
  assert.equal(spawnSync(process.execPath, ["--eval", script], { timeout: 60000 }).status, 5);
});
