/** What is made and destroyed again leaves nothing behind in the daemon. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OBJECT_MANAGER } from "../../src/dbus/names";
import { startBus } from "../dbus/support/bus";
import { DaemonProcess } from "../dbus/support/daemon-process";
import { populate, POOL, POOL_R9 } from "../dbus/support/populate";
import { RawClient } from "../dbus/support/raw-client";

const CYCLES = 10_000;
/** Before these, what is compiled and cached once is not there yet. */
const WARM_UP = 1000;
const SAMPLE_EVERY = 1000;
/**
 * Of memory in use less than the smallest thing that a cycle could leave behind, though compiled code comes and goes;
 * of resident memory what the collector may differ by.
 */
const USED_MORE_BYTES = 300 * CYCLES;
const RESIDENT_MORE_BYTES = 15e6;

async function cycle(client: RawClient, number: number): Promise<void> {
  const onPool = { path: POOL, interface: POOL_R9 };
  const created = await client.callForBody("CreateFilesystems", {
    ...{ ...onPool, signature: "a(s(bs)(bs))" },
    body: [[[`filesystem-${number}`, [false, ""], [false, ""]]]],
  });
  const [[, [made]], code] = created as [[boolean, [string, string][]], number];
  assert.equal(code, 0);
  // So that its bytes are made and kept.
  if (number % 10 === 0) await client.callForBody("GetManagedObjects", { interface: OBJECT_MANAGER });
  const [, destroyed] = await client.callForBody("DestroyFilesystems", {
    ...{ ...onPool, signature: "ao", body: [[made?.[0]]] },
  });
  assert.equal(destroyed, 0);
}

test("ten thousand filesystems made and destroyed: memory and descriptors stay flat", async (t) => {
  const bus = await startBus();
  t.after(() => bus.stop());
  const daemon = await DaemonProcess.start(bus.address);
  t.after(() => daemon.stop());
  const client = await RawClient.connect(bus.address);
  t.after(() => {
    client.close();
  });
  await populate(client, { filesystems: 0 });
  for (let number = 0; number < WARM_UP; number++) await cycle(client, number);
  const before = {
    used: await daemon.used(),
    resident: daemon.resident("now"),
    descriptors: daemon.descriptors,
  };
  for (let number = 1; number <= CYCLES; number++) {
    await cycle(client, number);
    if (number % SAMPLE_EVERY !== 0) continue;
    const resident = daemon.resident("now");
    t.diagnostic(
      `${number} cycles: ${((await daemon.used()) / 1e6).toFixed(2)} MB in use, ${(resident / 1e6).toFixed(1)} MB resident`,
    );
    assert.equal(daemon.descriptors, before.descriptors);
    assert.ok(resident < before.resident + RESIDENT_MORE_BYTES);
  }
  const more = (await daemon.used()) - before.used;
  assert.ok(more < USED_MORE_BYTES, `${more} bytes more are in use`);
});
