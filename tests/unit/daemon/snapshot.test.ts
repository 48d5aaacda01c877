/** A daemon that makes a snapshot of itself and starts from it, in a tree of the test's own. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as path from "node:path";
import { after, beforeEach, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "node:zlib";
import { packageRoot } from "../../../src/native";
import { temporary } from "../packaging/support";
import { Machine } from "../tools/min/machine";

const WAIT_MILLISECONDS = 60_000;
const LOOK_MILLISECONDS = 50;
const FILES = [
  "build/Release/stratisd-min",
  "build/Release/stratis_native.node",
  "dist/bin/stratisd-min.js",
  "package.json",
];

const [folder, remove] = temporary();
const tree = path.join(folder, "tree");
const daemon = path.join(tree, "build/Release/stratisd-min");
const script = path.join(tree, "dist/bin/stratisd-min.js");
const snapshots = path.join(folder, "snapshots");
const snapshot = path.join(snapshots, "stratisd-min.snapshot");

let machine: Machine | null = null;
after(async () => {
  await machine?.end();
  remove();
});
beforeEach(async () => {
  await machine?.end();
  machine = await Machine.make();
  for (const file of FILES) {
    fs.mkdirSync(path.dirname(path.join(tree, file)), { recursive: true });
    fs.copyFileSync(path.join(packageRoot, file), path.join(tree, file));
  }
  fs.rmSync(snapshots, { recursive: true, force: true });
});

function theMachine(): Machine {
  if (machine === null) throw new Error("There is no machine");
  return machine;
}

/** Starts the daemon, and resolves to what from. */
async function start(env: NodeJS.ProcessEnv = {}): Promise<"script" | "snapshot"> {
  const pid = await theMachine().startDaemon(daemon, {
    STRATIS_SNAPSHOTS: snapshots,
    STRATIS_SNAPSHOT_DELAY: "0",
    ...env,
  });
  const words = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  assert.equal(words[0], "stratisd-min");
  return words.some((word) => word.startsWith("--snapshot-blob=")) ? "snapshot" : "script";
}

const end = async (): Promise<void> => {
  assert.equal(await theMachine().endDaemon("SIGINT"), 0);
};

async function until(what: string, reached: () => boolean): Promise<void> {
  const deadline = performance.now() + WAIT_MILLISECONDS;
  while (!reached()) {
    assert.ok(performance.now() < deadline, `${what}: not within ${WAIT_MILLISECONDS} ms`);
    await sleep(LOOK_MILLISECONDS);
  }
}

const files = (): string[] => fs.readdirSync(snapshots).sort();
const KEPT = ["stratisd-min.snapshot", "stratisd-min.snapshot.parts"];
const made = (): Promise<void> => until("a snapshot", () => fs.existsSync(snapshot));
const kept = (): Promise<void> => until("the snapshot is back", () => files().join(" ") === KEPT.join(" "));

/** Leaves a snapshot, and no daemon. */
async function makeSnapshot(): Promise<void> {
  assert.equal(await start(), "script");
  await made();
  await end();
  assert.deepEqual(files(), KEPT);
}

async function createPool(): Promise<string> {
  const { code, stderr, stdout } = await theMachine().min(["pool", "create", "p", "/dev/a"]);
  assert.equal(code, 0, stderr + stdout);
  const listed = await theMachine().min(["pool"]);
  const uuid = /\bp\b.*\b([0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12})\b/.exec(listed.stdout)?.[1];
  assert.ok(uuid !== undefined, listed.stdout);
  return uuid;
}

test("the second start is from the snapshot, and so are later ones, each with random numbers of its own", async () => {
  await makeSnapshot();
  const uuids = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    assert.equal(await start(), "snapshot");
    uuids.add(await createPool());
    await kept();
    await end();
  }
  assert.equal(uuids.size, 3);
});

test("only root, or whoever runs the daemon, can have written what is run", async () => {
  await makeSnapshot();
  for (const file of [snapshots, snapshot, `${snapshot}.parts`]) {
    const { mode } = fs.statSync(file);
    assert.equal(mode & 0o022, 0, file);
    fs.chmodSync(file, mode | 0o020);
    assert.equal(await start({ STRATIS_SNAPSHOT_DELAY: "600" }), "script", file);
    await end();
    fs.chmodSync(file, mode);
  }
  assert.equal(await start(), "snapshot");
});

test("a daemon of another script, Node or library, or with another processor, needs another snapshot", async () => {
  await makeSnapshot();
  const parts = `${snapshot}.parts`;
  const text = fs.readFileSync(parts, "utf8");
  const line = (pattern: RegExp): string => {
    const found = pattern.exec(text)?.[0];
    assert.ok(found !== undefined, `${String(pattern)} in ${text}`);
    return found;
  };
  const changed = [
    text.replace(line(/^options .*$/m), "options --max-semi-space-size=3"),
    text.replace(line(/^processor .*$/m), "processor flags: another"),
    text.replace(line(/^file .*libc\.so.*$/m), "file 1 1 1 /no/such/library"),
    text.replace(line(/^file .*libc\.so.*$/m), (found) => found.replace(/^file \d+/, "file 12")),
    text.replace(`${line(/^file .*stratisd-min\.js$/m)}\n`, ""),
    "",
  ];
  for (const other of changed) {
    fs.writeFileSync(parts, other);
    assert.equal(await start({ STRATIS_SNAPSHOT_DELAY: "600" }), "script", other);
    await end();
  }
  fs.writeFileSync(parts, text);
  fs.appendFileSync(script, "\n// another\n");
  assert.equal(await start(), "script");
  await until("another snapshot", () => fs.existsSync(snapshot) && fs.readFileSync(parts, "utf8") !== text);
  await end();
  assert.equal(await start(), "snapshot");
});

/** Changes the file of the snapshot, and returns it. */
function change(how: (content: Buffer) => Buffer): Buffer {
  const changed = how(fs.readFileSync(snapshot));
  fs.writeFileSync(snapshot, changed);
  return changed;
}

test("a damaged snapshot is not started from", async () => {
  await makeSnapshot();
  for (const part of [0.1, 0.5, 0.99]) {
    change((content) => {
      const at = Math.floor(content.length * part);
      content.writeUInt8(content.readUInt8(at) ^ 1, at);
      return content;
    });
    await makeSnapshot();
  }
  assert.equal(await start(), "snapshot");
});

test("a snapshot that lets the daemon fail is not started from again", async () => {
  await makeSnapshot();
  const content = change((whole) => whole.subarray(0, 100_000));
  const parts = `${snapshot}.parts`;
  const text = fs.readFileSync(parts, "utf8");
  fs.writeFileSync(parts, text.replace(/^content .*$/m, `content ${content.length} ${crc32(content)}`));
  await assert.rejects(start());
  assert.deepEqual(files(), ["stratisd-min.snapshot.parts", "stratisd-min.snapshot.tried"]);
  await makeSnapshot();
});

test("a daemon that is killed while it makes a snapshot, or uses one, leaves nothing that is wrong", async () => {
  assert.equal(await start(), "script");
  await until("a snapshot is begun", () => fs.existsSync(snapshots) && files().length > 0);
  await theMachine().endDaemon("SIGKILL");
  await makeSnapshot();
  assert.equal(await start(), "snapshot");
  await kept();
  await theMachine().endDaemon("SIGKILL");
  assert.equal(await start(), "snapshot");
});

test("a snapshot for which there is no room is not kept", async () => {
  const small = "/run/small";
  const machine = theMachine();
  const mount = `mkdir ${small} && mount -t tmpfs -o size=6m,mode=700 tmpfs ${small}`;
  assert.equal((await machine.run(["sh", "-c", mount])).code, 0);
  const there = (): string[] => fs.readdirSync(machine.outside(small));
  for (let round = 0; round < 2; round += 1) {
    assert.equal(await start({ STRATIS_SNAPSHOTS: small }), "script");
    await until("a snapshot is begun", () => there().length > 0);
    await until("it is given up", () => there().length === 0);
    await createPool();
    await end();
  }
});

test("without a place for snapshots the daemon serves all the same", async () => {
  for (const folder of ["/proc/none", "relative", ""]) {
    assert.equal(await start({ STRATIS_SNAPSHOTS: folder, STRATIS_SNAPSHOT: snapshot }), "script");
    await createPool();
    await end();
  }
  assert.equal(fs.existsSync(snapshots), false);
});
