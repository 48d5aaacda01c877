/** Alerts: what begins and ends, which programs are called, with what, and which are not. */
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { after, before, test } from "node:test";
import { AlertHooks, environmentOf, type Run } from "../../../../src/daemon/alerts/hooks";
import { Conditions } from "../../../../src/daemon/alerts/conditions";
import { trustedPrograms } from "../../../../src/daemon/alerts/trusted";
import type { BlockDev, Engine, Pool } from "../../../../src/engine/engine";
import { setLogSink } from "../../../../src/log";

const UUID = "9f6cbd1f-0d4e-4a2e-a9a8-4b1a7a3b1234";
let folder = "";
before(() => {
  folder = mkdtempSync(path.join(tmpdir(), "stratis-alerts-"));
});
after(() => {
  rmSync(folder, { recursive: true, force: true });
  setLogSink(() => undefined);
});

interface State {
  name?: string;
  used?: bigint | null;
  full?: boolean;
  actions?: string;
  devices?: { present: boolean; uuid?: string }[];
}

const poolIn = ({
  name = "data",
  used = 10n,
  full = false,
  actions = "fully_operational",
  devices = [],
}: State): Pool =>
  ({
    name,
    uuid: UUID,
    totalPhysicalSize: 1000n,
    totalPhysicalUsed: used,
    allocatedSize: 500n,
    outOfSpace: full,
    availableActions: actions,
    blockDevs: () =>
      devices.map(
        ({ present, uuid = "d1" }) => ({ present, uuid, physicalPath: "/dev/sdx", tier: "data" }) as BlockDev,
      ),
  }) as unknown as Pool;

const engineWith = (...states: State[]): Pick<Engine, "pools"> => ({ pools: () => states.map(poolIn) });

const told = (conditions: Conditions, ...states: State[]): string[] =>
  conditions.look(engineWith(...states)).map(({ alert, state }) => `${alert} ${state}`);

test("conditions begin once and end once", () => {
  const conditions = new Conditions();
  assert.deepEqual(told(conditions, {}), []);
  assert.deepEqual(told(conditions, { used: 899n }), []);
  assert.deepEqual(told(conditions, { used: 900n }), ["pool-nearly-full begin"]);
  assert.deepEqual(told(conditions, { used: 950n }), []);
  assert.deepEqual(told(conditions, { used: 1000n, full: true }), ["pool-full begin"]);
  assert.deepEqual(told(conditions, { used: 10n }), ["pool-nearly-full end", "pool-full end"]);
  assert.deepEqual(told(conditions, { used: null, actions: "no_pool_changes" }), ["pool-failed begin"]);
  assert.deepEqual(told(conditions), [], "of a pool that is gone nothing is told");
  const two = [
    { present: false, uuid: "d1" },
    { present: false, uuid: "d2" },
  ];
  assert.deepEqual(told(conditions, { devices: two }), ["device-gone begin", "device-gone begin"]);
  assert.deepEqual(told(conditions, { devices: two.slice(1) }), ["device-gone end"]);
});

test("a program is told the facts, whatever characters are in a name", () => {
  const [event] = new Conditions().look(engineWith({ name: "$(reboot);`x`", devices: [{ present: false }] }));
  assert.ok(event);
  assert.deepEqual(environmentOf(event), [
    "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL=C.UTF-8",
    "STRATIS_ALERT=device-gone",
    "STRATIS_ALERT_STATE=begin",
    "STRATIS_POOL_NAME=$(reboot);`x`",
    `STRATIS_POOL_UUID=${UUID}`,
    "STRATIS_POOL_SIZE_BYTES=1000",
    "STRATIS_POOL_USED_BYTES=10",
    "STRATIS_POOL_ALLOCATED_BYTES=500",
    "STRATIS_POOL_AVAILABLE_ACTIONS=fully_operational",
    "STRATIS_DEVICE=/dev/sdx",
    "STRATIS_DEVICE_UUID=d1",
    "STRATIS_DEVICE_TIER=data",
  ]);
});

function program(directory: string, name: string, mode: number, text = "#!/bin/sh\n"): string {
  const file = path.join(directory, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

test("only programs that their owner alone can change are called", async () => {
  const directory = path.join(folder, "owned");
  mkdirSync(directory, { mode: 0o755 });
  const good = program(directory, "b-good", 0o755);
  const elsewhere = program(folder, "target", 0o755);
  symlinkSync(elsewhere, path.join(directory, "a-link"));
  program(directory, "group", 0o775);
  program(directory, "world", 0o757);
  program(directory, "plain", 0o644);
  program(directory, "ignored.bak", 0o755);
  program(directory, "ignored~", 0o755);
  mkdirSync(path.join(directory, "folder"));
  const loose = path.join(folder, "loose");
  mkdirSync(loose);
  chmodSync(loose, 0o777);
  symlinkSync(program(loose, "p", 0o755), path.join(directory, "through-loose"));
  const names = ["group", "plain", "through-loose", "world"];
  if (process.geteuid?.() === 0) {
    chownSync(program(directory, "foreign", 0o755), 65534, 65534);
    names.push("foreign");
  }
  const { programs, refused } = await trustedPrograms(directory);
  assert.deepEqual(programs, [elsewhere, good]);
  assert.deepEqual(refused.map((why) => path.basename(why.replace(/: .*/s, ""))).sort(), names.sort());
  await assert.rejects(trustedPrograms(loose), { name: "UntrustedError" });
  assert.deepEqual(await trustedPrograms(path.join(folder, "none")), { programs: [], refused: [] });
});

test("programs run for real, one after another, without a shell; one that fails does not keep others from it", async () => {
  const directory = path.join(folder, "real");
  const out = path.join(folder, "out");
  mkdirSync(directory, { mode: 0o755 });
  program(directory, "1-fails", 0o755, "#!/bin/sh\necho wrong >&2; exit 3\n");
  program(directory, "2-writes", 0o755, `#!/bin/sh\necho "$# $STRATIS_ALERT $STRATIS_POOL_NAME" >> ${out}\n`);
  const messages: string[] = [];
  setLogSink((level, _, message) => messages.push(`${level} ${message}`));
  const hooks = new AlertHooks(directory);
  hooks.look(engineWith({ used: 990n, full: true }));
  await hooks.idle();
  assert.equal(readFileSync(out, "utf8"), "0 pool-nearly-full data\n0 pool-full data\n");
  assert.equal(messages.filter((text) => /1-fails, .* failed with status 3: wrong$/.test(text)).length, 2);
});

test("a flood waits within bounds, one program at a time, and an exit ends it", async () => {
  const directory = path.join(folder, "flood");
  mkdirSync(directory, { mode: 0o755 });
  program(directory, "p", 0o755);
  let running = 0;
  let calls = 0;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const run: Run = async () => {
    assert.equal((running += 1), 1);
    calls += 1;
    await held;
    running -= 1;
    return { status: 0, signal: null, stdout: "", stderr: "" };
  };
  const hooks = new AlertHooks(directory, run);
  const devices = Array.from({ length: 200 }, (_, index) => ({ present: false, uuid: `d${index}` }));
  hooks.look(engineWith({ devices }));
  release();
  await hooks.idle();
  assert.equal(calls, 65, "the one that runs, and those that wait");
  hooks.stop();
  hooks.look(engineWith({ full: true }));
  await hooks.idle();
  assert.equal(calls, 65);
});
