/** --watch: the output follows stratisd's signals. */
import assert from "node:assert/strict";
import { spawn, type ChildProcessByStdio } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { FakeStratisd } from "./cli-support/fake";
import { COMMAND, runStratis } from "./cli-support/run";
import { managedObjects, property, sampleObjects } from "./cli-support/world";
import { startBus } from "./support/bus";
import { startWorld, type World } from "./support/world";

const END_TIMEOUT_MS = 60_000;

let world: World | undefined;
before(async () => {
  world = await startWorld();
});
after(() => world?.end());

const addressOf = (): string => {
  assert.ok(world !== undefined, "the service has not been started");
  return world.bus.address;
};

interface Watcher {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly lines: AsyncIterableIterator<string>;
  readonly reader: Interface;
}

function watching(address: string, ...words: string[]): Watcher {
  const child = spawn(process.execPath, [COMMAND, ...words, "--watch"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { PATH: process.env["PATH"], DBUS_SYSTEM_BUS_ADDRESS: address },
    timeout: END_TIMEOUT_MS,
  });
  const reader = createInterface({ input: child.stdout });
  return { child, reader, lines: reader[Symbol.asyncIterator]() };
}

async function next({ lines }: Watcher): Promise<string> {
  const line = await lines.next();
  assert.ok(line.done !== true, "the command has ended");
  return line.value;
}

/** Documents until one fulfils the condition: changes may be shown together or one after the other. */
async function until(
  watcher: Watcher,
  condition: (document: Record<string, unknown>) => boolean,
): Promise<void> {
  for (;;) if (condition(JSON.parse(await next(watcher)) as Record<string, unknown>)) return;
}

const namesOf = (list: unknown): string[] => (list as { name: string }[]).map(({ name }) => name);

async function stratis(...words: string[]): Promise<void> {
  assert.deepEqual(
    await runStratis(addressOf(), words),
    { code: 0, stdout: "", stderr: "" },
    words.join(" "),
  );
}

test("a document for each change, one a line, until interrupted", async () => {
  const watcher = watching(addressOf(), "pool", "list", "--json");
  await until(watcher, ({ version, pools }) => version === 1 && namesOf(pools).length === 0);
  await stratis("pool", "create", "p", "/dev/a");
  await until(watcher, ({ pools }) => namesOf(pools).join() === "p");
  await stratis("pool", "set-fs-limit", "p", "321");
  await until(watcher, ({ pools }) => (pools as { filesystem_limit: number }[])[0]?.filesystem_limit === 321);
  await stratis("pool", "stop", "--name", "p");
  await until(watcher, ({ pools }) => namesOf(pools).length === 0);
  const exited = once(watcher.child, "close");
  const stderr = text(watcher.child.stderr);
  watcher.child.kill("SIGINT");
  assert.deepEqual(await exited, [0, null]);
  assert.equal(await stderr, "");
});

test("tables one after the other, and stopped pools", async () => {
  const watcher = watching(addressOf(), "pool", "list", "--stopped", "--columns", "name", "--no-header");
  assert.equal(await next(watcher), "p");
  await stratis("pool", "start", "--name", "p");
  assert.equal(await next(watcher), "");
  await stratis("pool", "stop", "--name", "p");
  assert.equal(await next(watcher), "");
  assert.equal(await next(watcher), "p");
  watcher.child.kill("SIGINT");
  await once(watcher.child, "close");
});

test("that the daemon goes and comes back is shown", async () => {
  const bus = await startBus();
  const serve = async (): Promise<FakeStratisd> => {
    const fake = await FakeStratisd.start(bus.address);
    fake.reset((_, member) =>
      member === "GetManagedObjects"
        ? managedObjects(sampleObjects())
        : member === "version"
          ? undefined
          : property("s", ""),
    );
    return fake;
  };
  let fake = await serve();
  const watcher = watching(bus.address, "filesystem", "list", "--json");
  await until(watcher, ({ filesystems }) => namesOf(filesystems).length === 3);
  fake.stop();
  await until(watcher, ({ error }) => (error as { kind: string } | undefined)?.kind === "dbus");
  fake = await serve();
  await until(watcher, ({ filesystems }) => filesystems !== undefined);
  const exited = once(watcher.child, "close");
  const stderr = text(watcher.child.stderr);
  await bus.stop();
  assert.deepEqual(await exited, [1, null]);
  assert.match(await stderr, /lost the message bus/);
  fake.stop();
});

test("what cannot be shown at first fails, and keys cannot be watched", async () => {
  const nope = await runStratis(addressOf(), ["fs", "list", "nope", "--watch"]);
  assert.equal(nope.code, 1);
  assert.match(nope.stderr, /a pool which does not exist/);
  const keys = await runStratis(addressOf(), ["key", "list", "--watch"]);
  assert.equal(keys.code, 2);
  assert.match(keys.stderr, /unrecognized arguments: --watch/);
});
