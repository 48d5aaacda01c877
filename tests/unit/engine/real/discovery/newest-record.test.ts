/** Which record of a pool counts, when devices disagree or fail. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { saveMetadata } from "../../../../../src/disk/bda";
import { mdaLayout } from "../../../../../src/disk/mda";
import { newestRecord } from "../../../../../src/engine/real/discovery/newest-record";
import { setLogSink } from "../../../../../src/log";
import { imageFolder, makePool, onImage, saveOn, type ImageDevice } from "../images";

const ALL = [0, 1, 2, 3] as const;

/** Overwrites some of the four copies of metadata. */
async function damage(
  { path, header }: ImageDevice,
  regions: readonly (0 | 1 | 2 | 3)[] = ALL,
): Promise<void> {
  await onImage(path, async (file) => {
    for (const region of regions)
      await file.write(mdaLayout(header).offsets[region], Buffer.alloc(4096, 0xa5));
  });
}

async function nameOf(devices: ImageDevice[]): Promise<{ name: string | null; warnings: number }> {
  let warnings = 0;
  setLogSink((level) => (warnings += level === "warn" ? 1 : 0));
  const newest = await newestRecord(devices).finally(() => {
    setLogSink(() => undefined);
  });
  return { name: newest?.record.name ?? null, warnings };
}

test("the newest record counts, and when its device fails the same on another one, or what is next", async (context) => {
  const { record, devices } = await makePool(imageFolder(context), "first", { data: 3 });
  const [a, b, c] = devices;
  assert.ok(a && b && c);
  await saveOn([a, b], { ...record, name: "second" }, 2n);
  assert.deepEqual(await nameOf(devices), { name: "second", warnings: 0 });
  await damage(a);
  const other = await nameOf(devices);
  assert.equal(other.name, "second");
  assert.ok(other.warnings > 0);
  // The pair of regions of the second save.
  await damage(b, [1, 3]);
  assert.equal((await nameOf([a, b])).name, "first", "what is older on the device itself");
  await damage(b);
  assert.equal((await nameOf(devices)).name, "first", "what is older on another device");
  await damage(c);
  await assert.rejects(
    nameOf(devices),
    /^EngineError: No copy of the pool's metadata is readable: .*-data0.*-data2/s,
  );
});

test("a device that is gone is passed over", async (context) => {
  const { devices } = await makePool(imageFolder(context), "p", { data: 2 });
  const [a, b] = devices;
  assert.ok(a && b);
  assert.equal((await nameOf([{ ...a, path: `${a.path}-gone` }, b])).name, "p");
});

test("a pool without any record was never completed", async (context) => {
  const { devices } = await makePool(imageFolder(context), "p", { cache: 1 });
  assert.equal((await nameOf(devices.slice(1))).name, null);
});

test("no older record is taken where the newest is whole and can't be understood", async (context) => {
  const { record, devices } = await makePool(imageFolder(context), "p", { data: 3 });
  const [a, b, c] = devices;
  assert.ok(a && b && c);
  for (const { path, header } of [a, b])
    await onImage(path, (file) =>
      saveMetadata(file, header, { seconds: 5n, nanoseconds: 0 }, Buffer.from('{"name":"p","version":4}')),
    );
  await assert.rejects(
    nameOf(devices),
    /The newest metadata of the pool can't be understood: .*-data0.*-data1/s,
  );
  await saveOn([c], record, 6n);
  assert.equal((await nameOf(devices)).name, "p");
});
