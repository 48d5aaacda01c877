/** The script behind stratis-fstab-setup@.service with the real `stratis` and the simulator: it reads what that prints. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import * as path from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import type { EncryptionRequest } from "../../src/engine/engine";
import { COMMAND } from "./cli-support/run";
import { startBus, type PrivateBus } from "./support/bus";
import { startSimulated, type Simulated } from "./support/simulated";
import { makePool, PLAIN, TANG } from "../unit/engine/sim/support";
import { secretOf } from "../support/secrets";

const SCRIPT = path.resolve("systemd/stratis-fstab-setup");
const TIMEOUT_MS = 60_000;
/** Of `stratis`, when it reads a passphrase from a pipe. */
const ECHOED = "Warning: this device is not a TTY so the password may be echoed\n";

let bus: PrivateBus;
let world: Simulated;
let programs = "";
before(async () => {
  bus = await startBus();
  world = await startSimulated(bus);
  programs = mkdtempSync(path.join(tmpdir(), "stratis-fstab-"));
  const scripts = {
    stratis: `exec "${process.execPath}" "${COMMAND}" "$@"`,
    "systemd-ask-password": "echo s3cret",
    udevadm: "exit 0",
  };
  for (const [name, script] of Object.entries(scripts))
    writeFileSync(path.join(programs, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
});
after(async () => {
  rmSync(programs, { recursive: true, force: true });
  await world.end();
  await bus.stop();
});

async function run(uuid: string): Promise<{ code: number | null; stderr: string }> {
  const child = spawn("sh", [SCRIPT, uuid], {
    stdio: ["ignore", "ignore", "pipe"],
    env: {
      PATH: `${programs}:/usr/bin:/bin`,
      DBUS_SYSTEM_BUS_ADDRESS: bus.address,
      STRATIS_SETUP_TRIES: "1",
    },
    timeout: TIMEOUT_MS,
  });
  const exited = once(child, "close") as Promise<[number | null]>;
  const [stderr, [code]] = await Promise.all([text(child.stderr), exited]);
  return { code, stderr: stderr.replace(ECHOED, "") };
}

const KEY: EncryptionRequest = { keys: [{ slot: null, description: "k0" }], clevis: [] };

for (const [name, encryption] of Object.entries({ plain: PLAIN, tang: TANG, key: KEY }))
  test(`a stopped pool is started: ${name}`, async () => {
    const { engine } = world;
    if (encryption === KEY) await engine.setKey("k0", secretOf("s3cret"));
    const pool = await makePool(engine, name, { devices: [`/dev/${name}`], encryption });
    await engine.stopPool({ by: "uuid", uuid: pool.uuid });
    assert.deepEqual(await run(pool.uuid), { code: 0, stderr: "" });
    assert.ok(engine.getPool(pool.uuid), "it runs");
    assert.deepEqual(await run(pool.uuid), { code: 0, stderr: "" });
  });

test("a pool that stratisd does not know", async () => {
  const uuid = "17101e39-e72e-423c-90d8-be5cb37c055b";
  const { code, stderr } = await run(uuid);
  assert.equal(code, 1);
  assert.match(stderr, new RegExp(`pool ${uuid} did not appear: .`));
});
