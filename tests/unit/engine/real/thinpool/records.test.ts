/** Filesystems' records in a folder, and what interrupted writes leave there. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import * as path from "node:path";
import { test, type TestContext } from "node:test";
import { encodeFilesystemRecord, type FilesystemRecord } from "../../../../../src/disk/filesystem-record";
import { FilesystemRecords } from "../../../../../src/engine/real/thinpool/records";
import { freeThinId } from "../../../../../src/engine/real/thinpool/thin-devices";
import { sectors } from "../../../../../src/units";
import { newFilesystemUuid, simpleUuid } from "../../../../../src/uuid";
import { imageFolder } from "../images";

const record = (name: string, thinId = 0): FilesystemRecord => ({
  ...{ name, thinId, uuid: newFilesystemUuid(), size: sectors(1048576n) },
  ...{ created: 1n, sizeLimit: null, origin: null, merge: false },
});

async function folderWith(context: TestContext, ...records: FilesystemRecord[]): Promise<FilesystemRecords> {
  const folder = new FilesystemRecords(path.join(imageFolder(context), "filesystems"));
  await folder.prepare();
  for (const entry of records) await folder.save(entry);
  return folder;
}

const sorted = (records: FilesystemRecord[]): FilesystemRecord[] =>
  [...records].sort((a, b) => (a.name < b.name ? -1 : 1));

test("records are saved, replaced and removed", async (context) => {
  const [a, b] = [record("a"), record("b", 1)];
  const folder = await folderWith(context, a, b);
  assert.deepEqual(sorted(await folder.readAll()), [a, b]);
  const renamed = { ...a, name: "c" };
  await folder.save(renamed);
  assert.deepEqual(sorted(await folder.readAll()), [b, renamed]);
  await folder.remove(b.uuid);
  await folder.remove(b.uuid);
  assert.deepEqual(await folder.readAll(), [renamed]);
  assert.deepEqual(readdirSync(folder.folder), [`${simpleUuid(a.uuid)}.json`]);
});

test("what an interrupted write leaves, whole or not, is cleared away, and the record is what it was", async (context) => {
  const [a, b] = [record("a"), record("b", 1)];
  const folder = await folderWith(context, a);
  const leave = (entry: FilesystemRecord, text: string): void => {
    writeFileSync(path.join(folder.folder, `${simpleUuid(entry.uuid)}.temp`), text);
  };
  leave(a, encodeFilesystemRecord({ ...a, name: "new" }).slice(0, 20));
  leave(b, encodeFilesystemRecord(b));
  assert.deepEqual(await folder.readAll(), [a]);
  await folder.prepare();
  assert.deepEqual(await folder.readAll(), [a]);
  assert.deepEqual(readdirSync(folder.folder), [`${simpleUuid(a.uuid)}.json`]);
  leave(a, "");
  await folder.save({ ...a, name: "new" });
  assert.deepEqual(
    (await folder.readAll()).map(({ name }) => name),
    ["new"],
  );
});

test("a record that can't be read, and two with one name, are errors", async (context) => {
  const a = record("a");
  const folder = await folderWith(context, a, record("a", 1));
  await assert.rejects(folder.readAll(), /Two filesystem records .* have the name "a"/);
  const file = path.join(folder.folder, `${simpleUuid(a.uuid)}.json`);
  writeFileSync(file, readFileSync(file, "utf8").slice(0, 30));
  await assert.rejects(
    folder.readAll(),
    new RegExp(`Failed to read filesystem record ${simpleUuid(a.uuid)}`),
  );
});

test("thin ids are used again, the lowest first", () => {
  assert.equal(freeThinId([]), 0);
  assert.equal(freeThinId([record("a", 0), record("b", 1), record("c", 3)]), 2);
  assert.equal(freeThinId([record("a", 2 ** 24 - 1)]), 0);
});
