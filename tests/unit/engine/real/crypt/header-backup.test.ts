/** Headers in plain files: changes of several are all made or none. */
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { test, type TestContext } from "node:test";
import {
  forgetHeaders,
  keepingHeaders,
  recoverHeaders,
  sweepHeaderFolders,
} from "../../../../../src/engine/real/crypt/header-backup";
import { EngineError, RollbackError } from "../../../../../src/engine/errors";
import { native } from "../../../../../src/native";
import { bytesAt, CHEAP, COMPACT, luksFile } from "../../../../native/crypt-support";
import { temporaryFolder } from "../../../../native/support";

const HEADER_BYTES = 2 * COMPACT.metadataSize + COMPACT.keyslotsSize;

class Device {
  refreshed = 0;
  constructor(
    readonly container: string,
    readonly mapping = container,
  ) {}
  refresh(): Promise<boolean> {
    this.refreshed += 1;
    return Promise.resolve(true);
  }
}
const device = async (context: TestContext): Promise<Device> =>
  new Device((await luksFile(context, ["one", "two"])).file);

test("what fails on the second device is taken back on the first", async (context) => {
  const devices = [await device(context), await device(context)];
  const folder = temporaryFolder(context);
  const before = devices.map(({ container }) => bytesAt(container, 0, HEADER_BYTES));
  const failure = new EngineError("the second device says no");
  const work = async (): Promise<void> => {
    await native().cryptDestroyKeyslot(devices[0]?.container ?? "", 0);
    throw failure;
  };
  await assert.rejects(keepingHeaders(devices, work, folder), failure);
  devices.forEach(({ container, refreshed }, index) => {
    const keyslots = bytesAt(container, 2 * COMPACT.metadataSize, COMPACT.keyslotsSize);
    assert.ok(keyslots.equals(before[index]?.subarray(2 * COMPACT.metadataSize) ?? Buffer.alloc(0)));
    assert.equal(refreshed, 1);
  });
  for (const { container } of devices)
    for (const text of ["one", "two"]) await native().cryptTest(container, { passphrase: Buffer.from(text) });
  assert.deepEqual(fs.readdirSync(folder), [], "no copy is left");
});

test("what succeeds stays, and no copy of the header either", async (context) => {
  const one = await device(context);
  const folder = temporaryFolder(context);
  const result = await keepingHeaders(
    [one],
    async () => {
      const [copy] = fs.readdirSync(folder);
      assert.equal(fs.statSync(`${folder}/${copy ?? ""}`).mode & 0o777, 0o700);
      await native().cryptDestroyKeyslot(one.container, 0);
      return "done";
    },
    folder,
  );
  assert.equal(result, "done");
  assert.deepEqual(fs.readdirSync(folder), []);
  await assert.rejects(native().cryptTest(one.container, { passphrase: Buffer.from("one") }));
});

test("a header that can't be put back is told, with what it leaves the pool to", async (context) => {
  const one = await device(context);
  const work = (): Promise<void> => {
    fs.rmSync(one.container);
    return Promise.reject(new EngineError("the cause"));
  };
  const folder = temporaryFolder(context);
  await assert.rejects(keepingHeaders([one], work, folder), (error) => {
    assert.ok(error instanceof RollbackError);
    assert.equal(error.level, "no_ipc_requests");
    assert.match(error.message, /the cause.*could not be put back/);
    return true;
  });
  assert.equal(fs.readdirSync(folder).length, 1, "the next start tries again");
  await forgetHeaders(one.mapping, folder);
  assert.deepEqual(fs.readdirSync(folder), []);
});

const opens = async ({ container }: Device, text: string): Promise<boolean> => {
  try {
    await native().cryptTest(container, { passphrase: Buffer.from(text) });
    return true;
  } catch {
    return false;
  }
};

/** What is left when the daemon is killed after the change of the first device. */
async function interrupted(devices: Device[], folder: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const work = async (): Promise<void> => {
      await native().cryptDestroyKeyslot(devices[0]?.container ?? "", 0);
      resolve();
      await new Promise(() => undefined);
    };
    void keepingHeaders(devices, work, folder);
  });
}

test("a change that is interrupted is taken back by the next daemon, and no copy is left", async (context) => {
  const devices = [await device(context), await device(context)];
  const folder = temporaryFolder(context);
  await interrupted(devices, folder);
  assert.equal(await opens(devices[0] as Device, "one"), false);
  await sweepHeaderFolders(folder);
  // One of them comes late.
  await recoverHeaders(devices.slice(0, 1), folder);
  assert.equal(await opens(devices[0] as Device, "one"), true);
  assert.equal(fs.readdirSync(folder).length, 1);
  await native().cryptDestroyKeyslot(devices[1]?.container ?? "", 1);
  await recoverHeaders(devices, folder);
  assert.equal(await opens(devices[1] as Device, "two"), true);
  assert.deepEqual(fs.readdirSync(folder), []);
});

test("what was complete, or had not begun, is not taken back; its copies are removed", async (context) => {
  const one = await device(context);
  const folder = temporaryFolder(context);
  await interrupted([one], folder);
  const [name] = fs.readdirSync(folder);
  fs.rmSync(`${folder}/${name ?? ""}/record.json`);
  await sweepHeaderFolders(folder);
  await recoverHeaders([one], folder);
  assert.equal(await opens(one, "one"), false);
  assert.deepEqual(fs.readdirSync(folder), []);
});

test("a header of other data is not overwritten by the copy", async (context) => {
  const one = await device(context);
  const folder = temporaryFolder(context);
  await interrupted([one], folder);
  const { uuid } = (await native().cryptLoad(one.container)) ?? {};
  const other = await luksFile(context, ["three"], uuid === undefined ? {} : { uuid });
  fs.copyFileSync(other.file, one.container);
  await recoverHeaders([one], folder);
  assert.deepEqual([await opens(one, "three"), await opens(one, "one")], [true, false]);
  assert.deepEqual(fs.readdirSync(folder), []);
});

test("the copies of an earlier change go when the next one begins", async (context) => {
  const one = await device(context);
  const folder = temporaryFolder(context);
  await interrupted([one], folder);
  await keepingHeaders([one], () => Promise.resolve(), folder);
  await recoverHeaders([one], folder);
  assert.equal(await opens(one, "one"), false);
  assert.deepEqual(fs.readdirSync(folder), []);
});

test("a re-encryption that was being begun is taken back while no data have got the new key", async (context) => {
  const one = await device(context);
  const folder = temporaryFolder(context);
  await new Promise<void>((resolve, reject) => {
    const begin = async (): Promise<void> => {
      const unlock = { passphrase: Buffer.from("one") };
      const volumeKey = await native().cryptGenerateVolumeKey();
      const newKeyslot = await native().cryptAddKeyslot(one.container, { volumeKey }, unlock, {
        ...CHEAP,
        unbound: true,
      });
      await native().cryptReencryptBegin(one.container, {
        ...{ mode: "reencrypt", unlock, oldKeyslot: 0, newKeyslot, initializeOnly: true },
      });
      resolve();
      await new Promise(() => undefined);
    };
    keepingHeaders([one], begin, folder).catch(reject);
  });
  assert.equal((await native().cryptLoad(one.container))?.reencryption.mode, "reencrypt");
  await recoverHeaders([one], folder);
  const header = await native().cryptLoad(one.container);
  assert.equal(header?.reencryption.mode, null);
  assert.deepEqual(
    header.keyslots.map(({ keyslot }) => keyslot),
    [0, 1],
  );
});
