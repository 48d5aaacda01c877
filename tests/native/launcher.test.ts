import assert from "node:assert/strict";
import type { SpawnSyncReturns } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { test, type TestContext } from "node:test";
import { builtProgram, runSync, temporaryFolder } from "./support";

/** Stands in for the daemon: prints what the launcher has made of its process. */
const PROBE = `
  const fs = require("fs");
  const threads = () => fs.readdirSync("/proc/self/task");
  // One asynchronous call, so that the pool's threads exist as well.
  fs.stat("/", () => {
    console.log(JSON.stringify({
      comm: fs.readFileSync("/proc/self/comm", "utf8").trim(),
      argv0: process.argv0,
      commandLine: fs.readFileSync("/proc/self/cmdline", "utf8").split("\\0"),
      args: process.argv.slice(2),
      script: process.argv[1],
      executable: fs.readlinkSync("/proc/self/exe"),
      namespaces: [...new Set(threads().map((id) => fs.readlinkSync("/proc/self/task/" + id + "/ns/mnt")))],
      threads: threads().length,
      propagation: fs.readFileSync("/proc/self/mountinfo", "utf8").split("\\n")
        .filter((line) => line.split(" ")[4] === "/").map((line) => line.split(" - ")[0].split(" ").slice(6)),
      env: process.env,
      pid: process.pid,
    }));
  });
`;

interface Seen {
  comm: string;
  argv0: string;
  commandLine: string[];
  args: string[];
  script: string;
  executable: string;
  namespaces: string[];
  threads: number;
  propagation: string[][];
  env: Record<string, string>;
  pid: number;
}

interface Tree {
  root: string;
  launcher: string;
  script: string;
}

function tree(context: TestContext): Tree {
  const root = fs.realpathSync(temporaryFolder(context));
  const launcher = path.join(root, "build", "Release", "stratisd");
  const script = path.join(root, "dist", "bin", "stratisd.js");
  fs.mkdirSync(path.dirname(launcher), { recursive: true });
  fs.mkdirSync(path.dirname(script), { recursive: true });
  fs.copyFileSync(builtProgram("stratisd"), launcher);
  fs.writeFileSync(script, PROBE);
  return { root, launcher, script };
}

const NODE_FIRST = { PATH: path.dirname(process.execPath), STRATIS_NODE: process.execPath };

function launch(launcher: string, args: string[], env: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> {
  return runSync(launcher, args, { ...NODE_FIRST, ...env });
}

function seenBy(result: SpawnSyncReturns<string>): Seen {
  assert.equal(result.status, 0, result.stderr);
  assert.equal(result.stderr, "");
  const seen = JSON.parse(result.stdout) as Seen;
  const folder = seen.env["STRATIS_LAUNCH_DIR"];
  // The daemon's duty.
  if (folder !== undefined) fs.rmSync(folder, { recursive: true });
  return seen;
}

const isRoot = process.geteuid?.() === 0;
const ownNamespace = fs.readlinkSync("/proc/self/ns/mnt");

test("the daemon runs under the name stratisd, with its arguments", (context) => {
  const { launcher, script } = tree(context);
  const args = ["--sim", "--log-level", "debug", "", "two words", "-x"];
  const result = launch(launcher, args);
  const seen = seenBy(result);
  assert.equal(seen.comm, "stratisd");
  assert.equal(seen.argv0, "stratisd");
  assert.equal(seen.commandLine[0], "stratisd");
  assert.deepEqual(seen.args, args);
  assert.equal(seen.script, script);
  assert.equal(seen.executable, fs.realpathSync(process.execPath));
  assert.equal(seen.pid, result.pid, "the process id stays");
});

test("the environment is kept, but for what concerns Node", (context) => {
  const { launcher } = tree(context);
  const given = {
    DBUS_SYSTEM_BUS_ADDRESS: "unix:path=/none",
    RUST_LOG: "debug",
    STRATIS_EXECUTABLES_PATHS: "/a:/b",
    NODE_OPTIONS: "--require /no/such/file",
    STRATIS_LAUNCH_DIR: "/etc",
    UV_THREADPOOL_SIZE: "1",
  };
  const { env } = seenBy(launch(launcher, ["--sim"], given));
  assert.equal(env["DBUS_SYSTEM_BUS_ADDRESS"], given.DBUS_SYSTEM_BUS_ADDRESS);
  assert.equal(env["RUST_LOG"], given.RUST_LOG);
  assert.equal(env["STRATIS_EXECUTABLES_PATHS"], given.STRATIS_EXECUTABLES_PATHS);
  assert.equal(env["NODE_OPTIONS"], undefined);
  assert.notEqual(env["STRATIS_LAUNCH_DIR"], "/etc");
  assert.equal(env["UV_THREADPOOL_SIZE"], "16");
  assert.equal(env["MALLOC_ARENA_MAX"], "2");
  assert.equal(env["MALLOC_MMAP_THRESHOLD_"], "131072");
});

test("whatever lies where a snapshot would be, the daemon starts from its script", (context) => {
  const { root, launcher, script } = tree(context);
  const folder = path.join(root, "snapshots");
  const file = path.join(folder, "stratisd.snapshot");
  fs.mkdirSync(folder, { mode: 0o700 });
  const parts = [
    "",
    "\0\n".repeat(1000),
    "file ".repeat(60_000),
    `file 1 2\nfile 1 2 3\nfile 1 2 3 \nfile\n${"x".repeat(1_000_000)}`,
    `options --max-semi-space-size=2 --max-old-space-size=256\nfile 1 1 1 ${script}\n`,
  ];
  for (const text of parts) {
    fs.writeFileSync(file, "no snapshot", { mode: 0o600 });
    fs.writeFileSync(`${file}.parts`, text, { mode: 0o600 });
    const seen = seenBy(launch(launcher, ["--sim"], { STRATIS_SNAPSHOTS: folder }));
    assert.equal(seen.script, script);
    assert.equal(seen.env["STRATIS_SNAPSHOT"], file);
    assert.deepEqual(fs.readdirSync(folder).sort(), ["stratisd.snapshot", "stratisd.snapshot.parts"]);
  }
  fs.rmSync(`${file}.parts`);
  fs.mkdirSync(`${file}.parts`);
  assert.equal(seenBy(launch(launcher, ["--sim"], { STRATIS_SNAPSHOTS: folder })).script, script);
  const without = seenBy(launch(launcher, ["--sim"], { STRATIS_SNAPSHOT: "/etc" }));
  assert.equal(without.env["STRATIS_SNAPSHOT"], undefined);
});

test("the simulator, help and version stay in the caller's namespace", (context) => {
  const { launcher } = tree(context);
  for (const option of ["--sim", "--help", "-h", "--version", "-V"]) {
    const seen = seenBy(launch(launcher, [option]));
    assert.deepEqual(seen.namespaces, [ownNamespace], option);
    assert.equal(seen.argv0, "stratisd");
  }
});

test("the real daemon has a mount namespace of its own, in every thread", (context) => {
  const { launcher } = tree(context);
  const result = launch(launcher, []);
  if (result.status !== 0) {
    assert.match(result.stderr, /^Leaving the root mount namespace .* failed: Operation not permitted\n$/);
    return;
  }
  const seen = seenBy(result);
  assert.ok(seen.threads > 1);
  assert.equal(seen.namespaces.length, 1);
  const rootIsOurs = sameAsProcessOne();
  assert.equal(seen.namespaces[0] === ownNamespace, !(isRoot && rootIsOurs));
});

/** As the launcher sees it: a namespace that can't be looked at counts as the one of process 1. */
function sameAsProcessOne(): boolean {
  try {
    return fs.readlinkSync("/proc/1/ns/mnt") === ownNamespace;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "EACCES");
    return true;
  }
}

test("propagation of mounts stays as it was", (context) => {
  const { launcher } = tree(context);
  const before = seenBy(launch(launcher, ["--sim"])).propagation;
  const result = launch(launcher, []);
  if (result.status !== 0) {
    assert.match(result.stderr, /Operation not permitted/);
    return;
  }
  assert.deepEqual(seenBy(result).propagation, before);
});

test("an ordinary user starts it, too, through a folder of his own", { concurrency: false }, (context) => {
  const { root, launcher } = tree(context);
  const runtimeDir = path.join(root, "run");
  fs.mkdirSync(runtimeDir);
  const asUser = isRoot ? ["--reuid", "65534", "--regid", "65534", "--clear-groups", launcher] : [];
  const start = (env: NodeJS.ProcessEnv): Seen =>
    seenBy(runSync(isRoot ? "setpriv" : launcher, asUser, { ...NODE_FIRST, PATH: "/usr/bin:/bin", ...env }));
  fs.chmodSync(root, 0o755);
  if (isRoot) fs.chownSync(runtimeDir, 65534, 65534);

  const withFolder = start({ XDG_RUNTIME_DIR: runtimeDir });
  assert.equal(withFolder.comm, "stratisd");
  assert.equal(withFolder.env["STRATIS_LAUNCH_DIR"], undefined);
  assert.deepEqual(fs.readdirSync(path.join(runtimeDir, "stratisd", "node")), ["stratisd"]);
  assert.equal(start({ XDG_RUNTIME_DIR: runtimeDir }).comm, "stratisd");

  // Others could exchange the link there: it is not used.
  fs.chmodSync(path.join(runtimeDir, "stratisd", "node"), 0o777);
  for (const folder of [runtimeDir, "relative", ""]) {
    const without = start({ XDG_RUNTIME_DIR: folder });
    assert.equal(without.comm, "stratisd");
    assert.match(without.env["STRATIS_LAUNCH_DIR"] ?? "", /^\/tmp\/stratisd-\w{6}$/);
  }
});

test("a link to the launcher finds the tree, a missing script is an error", (context) => {
  const { root, launcher, script } = tree(context);
  const link = path.join(root, "link");
  fs.symlinkSync(launcher, link);
  assert.equal(seenBy(launch(link, ["--sim"])).script, script);
  fs.rmSync(script);
  const result = launch(launcher, ["--version"]);
  assert.equal(result.status, 1);
  assert.equal(result.stdout, "");
  assert.equal(
    result.stderr,
    `Starting ${launcher}: reading the daemon's script ${script} failed: No such file or directory\n`,
  );
});

test("Node is taken from STRATIS_NODE, else from the search path", (context) => {
  const { root, launcher } = tree(context);
  for (const [value, text] of [
    ["node", 'STRATIS_NODE must be an absolute path, it is "node"\n'],
    ["/no/such/node", "STRATIS_NODE names no executable file: /no/such/node\n"],
    [root, `STRATIS_NODE names no executable file: ${root}\n`],
  ] as const) {
    const result = launch(launcher, ["--version"], { STRATIS_NODE: value });
    assert.deepEqual([result.status, result.stderr], [1, text]);
  }
  const folder = path.join(root, "bin");
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, "node"), "#!/bin/sh\necho found\n", { mode: 0o755 });
  const search = `:relative:/no/such:${folder}:/usr/bin`;
  assert.equal(launch(launcher, ["--version"], { PATH: search, STRATIS_NODE: "" }).stdout, "found\n");
});
