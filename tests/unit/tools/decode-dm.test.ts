import assert from "node:assert/strict";
import { test } from "node:test";
import { thinFilesystem } from "../../../src/dm/names";
import { decode, OUTPUTS, parseDevicePath } from "../../../src/tools/decode-dm";
import { ToolError } from "../../../src/tools/tool";
import { filesystemUuid, newFilesystemUuid, newPoolUuid, poolUuid } from "../../../src/uuid";
import { DATA_UUID, sampleObjects, SNAPSHOT_UUID, WWW_UUID } from "../../dbus/cli-support/world";

const refused = (run: () => unknown, message: RegExp): void => {
  assert.throws(run, (error) => error instanceof ToolError && message.test(error.message));
};

test("the device names that the daemon makes are understood", () => {
  const [pool, filesystem] = [newPoolUuid(), newFilesystemUuid()];
  const name = thinFilesystem(pool, filesystem);
  assert.deepEqual(parseDevicePath(`/dev/mapper/${name}`), { pool, filesystem });
  assert.deepEqual(parseDevicePath(`//dev/./mapper//${name}/`), { pool, filesystem });
});

test("other paths are refused", () => {
  const name = thinFilesystem(newPoolUuid(), newFilesystemUuid());
  for (const path of [
    "/",
    "/dev/mapper",
    `/dev/scrapper/${name}`,
    `/dev/mapper/../mapper/${name}`,
    `/x/dev/mapper/${name}`,
  ])
    refused(() => parseDevicePath(path), /error decomposing/);
});

test("other names are refused", () => {
  const uuid = "824da802f37d43c7916f71d33fc9a208";
  for (const name of [
    "name",
    `stratis-2-${uuid}-thin-fs-${uuid}`,
    `stratis-1-${uuid}-thin-fs`,
    `stratis-1-${uuid}-thin-fs-${uuid}-1`,
    `stratis-1-private-${uuid}-thinpool-pool`,
    `stratis-1-${uuid.slice(1)}-thin-fs-${uuid}`,
    `stratis-1-${uuid}-thin-fs-${uuid}0`,
    `stratis-1-${uuid}-thin-fs-`,
  ])
    refused(
      () => parseDevicePath(`/dev/mapper/${name}`),
      new RegExp(`error parsing Stratis filesystem devicemapper name "${name}"`),
    );
});

const WWW = { pool: poolUuid(DATA_UUID), filesystem: filesystemUuid(WWW_UUID) };

test("what stratisd calls a filesystem", () => {
  const texts = OUTPUTS.map((output) => decode(WWW, output, sampleObjects()));
  assert.deepEqual(texts, ["www", "data", "/dev/stratis/data/www"]);
  const snapshot = { ...WWW, filesystem: filesystemUuid(SNAPSHOT_UUID) };
  assert.equal(decode(snapshot, "filesystem-name", sampleObjects()), "www-snap");
});

test("only what is asked for must be known", () => {
  const unknownFs = { ...WWW, filesystem: filesystemUuid(DATA_UUID) };
  assert.equal(decode(unknownFs, "pool-name", sampleObjects()), "data");
  const message = /^Name for filesystem with UUID 0c2caf64-1dde-41be-b40b-ed6911f75c74 not found$/;
  refused(() => decode(unknownFs, "filesystem-name", sampleObjects()), message);
  refused(() => decode(unknownFs, "symlink", sampleObjects()), message);
  const unknownPool = { ...WWW, pool: poolUuid(WWW_UUID) };
  assert.equal(decode(unknownPool, "filesystem-name", sampleObjects()), "www");
  refused(() => decode(unknownPool, "symlink", sampleObjects()), /^Name for pool with UUID 17101e39-/);
  refused(() => decode(WWW, "pool-name", {}), /not found$/);
});
