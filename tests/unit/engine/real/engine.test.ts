/** The engine before it has looked for devices. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RealEngine } from "../../../../src/engine/real/engine";
import { newPoolUuid } from "../../../../src/uuid";
import { eventOf, imageFolder, makePool } from "./images";

test("what udev tells before the search for devices has ended well is not acted on", async (context) => {
  const { devices } = await makePool(imageFolder(context), "p");
  const engine = new RealEngine();
  assert.deepEqual(await engine.handleUdevEvents(devices.map((device) => eventOf("add", device))), []);
  assert.deepEqual(engine.stoppedPools(), []);
});

test("a pool that nobody knows can be neither started nor stopped, and that is said", async () => {
  const engine = new RealEngine();
  const uuid = newPoolUuid();
  const start = { unlock: null, passphrase: null, removeCache: false };
  await assert.rejects(
    engine.startPool({ ...start, pool: { by: "name", name: "x" } }),
    /^EngineError: Pool with name x is neither stopped nor running$/,
  );
  await assert.rejects(
    engine.stopPool({ by: "uuid", uuid }),
    new RegExp(`^EngineError: Pool with UUID ${uuid} could not be found and cannot be stopped$`),
  );
  assert.deepEqual(await engine.destroyPool(uuid), { action: "identity" });
  assert.deepEqual(await engine.renamePool(uuid, "y"), { action: "noSource" });
});
