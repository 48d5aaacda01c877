/** On which devices a pool's record is saved, and how much room it has there. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { initializeDevice, lastUpdateTime } from "../../../../../src/disk/bda";
import { encodePoolRecord, type PoolRecord } from "../../../../../src/disk/pool-record";
import { newDeviceRecord, newPoolRecord } from "../../../../../src/engine/real/backstore/allocation";
import { metadataAreaSize, recordRoom } from "../../../../../src/engine/real/backstore/metadata-area";
import { MetadataStore, type RecordPlace } from "../../../../../src/engine/real/backstore/metadata-store";
import { validateIntegrity } from "../../../../../src/engine/validation";
import { sectors } from "../../../../../src/units";
import { newDevUuid } from "../../../../../src/uuid";
import { imageFolder, makePool, onImage, type ImageDevice } from "../images";
import { newHeader } from "../pools";

const placeOf = ({ path, header }: ImageDevice): RecordPlace => ({
  devnode: path,
  physicalPath: path,
  header,
});

const timeOn = (device: ImageDevice): Promise<bigint> =>
  onImage(device.path, async (file) => (await lastUpdateTime(file, device.header))?.seconds ?? 0n);

test("ten devices take a record, next time those that did not come first", async (context) => {
  const { record, devices } = await makePool(imageFolder(context), "p", { data: 12 });
  const store = new MetadataStore({ seconds: 1n, nanoseconds: 0 });
  const places = devices.map(placeOf);
  await store.save(places, record);
  const times = await Promise.all(devices.map(timeOn));
  assert.deepEqual(
    times.map((time) => time > 1n),
    devices.map((_, index) => index < 10),
  );
  await store.save(places, record);
  const again = await Promise.all(devices.map(timeOn));
  assert.ok(again.slice(10).every((time) => time > 1n));
});

test("devices whose areas are too small are left out, and an error says when all are", async (context) => {
  const { record, devices } = await makePool(imageFolder(context), "p", { data: 3 });
  const [a, b, c] = devices;
  assert.ok(a && b && c);
  for (const device of [a, b]) {
    device.header = { ...device.header, mdaSize: sectors(8n) };
    await onImage(device.path, (file) => initializeDevice(file, device.header));
  }
  assert.ok(encodePoolRecord(record).length > recordRoom(a.header));
  await new MetadataStore(null).save(devices.map(placeOf), record);
  const times = await Promise.all(devices.map(timeOn));
  assert.deepEqual(
    times.map((time) => time > 1n),
    [false, false, true],
  );
  await assert.rejects(
    new MetadataStore(null).save([a, b].map(placeOf), record),
    /would have \d+ bytes, where its devices take 992 bytes at most/,
  );
});

/** A record with the longest texts. */
function largeRecord(count: number, deviceSize: bigint): PoolRecord {
  const spec = validateIntegrity({});
  const mdaSize = metadataAreaSize(count, sectors(BigInt(count) * deviceSize));
  const headers = Array.from({ length: count }, () => ({ ...newHeader(deviceSize, newDevUuid()), mdaSize }));
  const devices = headers.map((header) => ({
    ...newDeviceRecord(header, spec, "h".repeat(255)),
    userInfo: "u".repeat(255),
  }));
  const known = new Map(headers.map((header) => [header.devUuid, header]));
  return newPoolRecord("n".repeat(255), devices, known, spec);
}

test("an area is stratisd's for a pool of ordinary size, and has room for the record of a large one", () => {
  const tib = 2n ** 31n;
  assert.equal(metadataAreaSize(1, sectors(tib)), 2032n);
  assert.equal(metadataAreaSize(60, sectors(60n * tib)), 2032n);
  for (const count of [200, 600, 2000]) {
    const size = metadataAreaSize(count, sectors(BigInt(count) * 2n * tib));
    assert.equal((16n + size + 6144n) % 2048n, 0n, "data begin at a whole MiB");
    const room = recordRoom({ ...newHeader(2n * tib, newDevUuid()), mdaSize: size });
    assert.ok(encodePoolRecord(largeRecord(count, 2n * tib)).length < room / 1.5);
  }
});
