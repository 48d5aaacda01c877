import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { native, type BlockFile, type BlockFileOptions } from "../../src/native";
import { callUntyped, failsWith, loopDevice, temporaryFolder } from "./support";

const MIB = 1 << 20;

function regularFile(context: TestContext, bytes: number): string {
  const file = path.join(temporaryFolder(context), "disk.img");
  fs.writeFileSync(file, randomBytes(bytes));
  return file;
}

async function withFile(
  file: string,
  options: BlockFileOptions,
  use: (open: BlockFile) => Promise<void>,
): Promise<void> {
  const open = await native().openBlockFile(file, options);
  try {
    await use(open);
  } finally {
    await open.close();
  }
}

test("a regular file is described", async (context) => {
  const file = regularFile(context, 3 * 4096);
  await withFile(file, {}, async (open) => {
    assert.deepEqual(await open.info(), {
      size: 12288n,
      isBlockDevice: false,
      readOnly: false,
      logicalSectorSize: 512,
      physicalSectorSize: 512,
      major: 0,
      minor: 0,
    });
  });
});

test("what is written is read again, at any offset and length", async (context) => {
  const file = regularFile(context, MIB);
  await withFile(file, { write: true }, async (open) => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: MIB - 5000 }),
        fc.uint8Array({ maxLength: 5000 }),
        async (at, data) => {
          await open.write(BigInt(at), data);
          assert.deepEqual(new Uint8Array(await open.read(BigInt(at), data.length)), data);
        },
      ),
      { numRuns: 50 },
    );
    await open.sync();
  });
});

test("a write takes its bytes when it is called", async (context) => {
  const file = regularFile(context, 8192);
  await withFile(file, { write: true }, async (open) => {
    const data = Buffer.alloc(4096, "a");
    const written = open.write(0n, data);
    data.fill("b");
    await written;
    assert.deepEqual(await open.read(0n, 4096), Buffer.alloc(4096, "a"));
  });
});

test("only the bytes of a view are written, not its whole buffer", async (context) => {
  const file = regularFile(context, 4096);
  const before = fs.readFileSync(file);
  await withFile(file, { write: true }, async (open) => {
    await open.write(10n, new Uint8Array(new Uint8Array([1, 2, 3, 4, 5]).buffer, 1, 3));
  });
  before.set([2, 3, 4], 10);
  assert.deepEqual(fs.readFileSync(file), before);
});

test("a read beyond the end is an I/O error, not a short buffer", async (context) => {
  const file = regularFile(context, 4096);
  await withFile(file, {}, async (open) => {
    await assert.rejects(open.read(4000n, 97), failsWith({ code: "EIO", syscall: "read", target: file }));
    await assert.rejects(open.read(1n << 40n, 1), failsWith({ code: "EIO" }));
    assert.equal((await open.read(4096n, 0)).length, 0);
  });
});

test("ranges are zeroed and discarded", async (context) => {
  const file = regularFile(context, 4 * MIB);
  const expected = fs.readFileSync(file);
  await withFile(file, { write: true }, async (open) => {
    await open.zero(1000n, BigInt(2 * MIB));
    await open.discard(BigInt(3 * MIB), 8192n);
    await open.zero(5n, 0n);
    await open.discard(5n, 0n);
  });
  expected.fill(0, 1000, 1000 + 2 * MIB);
  expected.fill(0, 3 * MIB, 3 * MIB + 8192);
  assert.ok(fs.readFileSync(file).equals(expected));
});

test("offsets and lengths out of bounds are refused before any call", async (context) => {
  const file = regularFile(context, 4096);
  const before = fs.readFileSync(file);
  await withFile(file, { write: true }, async (open) => {
    const offsets = [-1n, 1n << 63n, 1n << 64n, 1n << 200n, -(1n << 100n), 0, "0", null, undefined, {}, NaN];
    for (const offset of offsets) {
      await assert.rejects(
        callUntyped(open, "read", offset, 1),
        failsWith({ code: "EINVAL", syscall: "read" }),
      );
      await assert.rejects(
        callUntyped(open, "write", offset, new Uint8Array(1)),
        failsWith({ code: "EINVAL" }),
      );
      await assert.rejects(callUntyped(open, "zero", offset, 1n), failsWith({ code: "EINVAL" }));
      await assert.rejects(callUntyped(open, "zero", 0n, offset), failsWith({ code: "EINVAL" }));
      await assert.rejects(callUntyped(open, "discard", offset, 1n), failsWith({ code: "EINVAL" }));
    }
    for (const length of [-1, 0.5, NaN, Infinity, 64 * MIB + 1, 2 ** 32, 2 ** 53, "1", 1n, undefined]) {
      await assert.rejects(
        callUntyped(open, "read", 0n, length),
        failsWith({ code: "EINVAL", syscall: "read" }),
      );
    }
    for (const data of [undefined, null, "text", [1], new Uint16Array(2), new DataView(new ArrayBuffer(4))]) {
      await assert.rejects(
        callUntyped(open, "write", 0n, data),
        failsWith({ code: "EINVAL", syscall: "write" }),
      );
    }
    const most = (1n << 63n) - 1n;
    await assert.rejects(open.read(most, 1), failsWith({ code: "EINVAL" }));
    await assert.rejects(open.zero(most, most), failsWith({ code: "EINVAL" }));
    await assert.rejects(open.write(0n, new Uint8Array(64 * MIB + 1)), failsWith({ code: "EINVAL" }));
  });
  assert.deepEqual(fs.readFileSync(file), before);
});

test("a handle that may only read refuses to write", async (context) => {
  const file = regularFile(context, 4096);
  await withFile(file, {}, async (open) => {
    await assert.rejects(open.write(0n, new Uint8Array(1)), failsWith({ code: "EBADF", target: file }));
    await assert.rejects(open.zero(0n, 512n), failsWith({ code: "EBADF", target: file }));
  });
});

test("direct access wants whole sectors and brings its own alignment", async (context) => {
  const file = regularFile(context, MIB);
  let open: BlockFile;
  try {
    open = await native().openBlockFile(file, { write: true, direct: true });
  } catch (error) {
    // Some file systems (tmpfs before 6.6) have no direct I/O; then the refusal is what is tested.
    assert.ok(failsWith({ code: "EINVAL", syscall: "open", target: file })(error));
    return;
  }
  const data = randomBytes(8193).subarray(1);
  await open.write(4096n, data);
  assert.deepEqual(await open.read(4096n, 8192), data);
  for (const [offset, length] of [
    [1n, 512],
    [0n, 511],
    [512n, 513],
  ] as const) {
    await assert.rejects(open.read(offset, length), failsWith({ code: "EINVAL", syscall: "read" }));
    await assert.rejects(open.write(offset, new Uint8Array(length)), failsWith({ code: "EINVAL" }));
  }
  await open.close();
});

test("close waits for what runs, and nothing works after it", async (context) => {
  const file = regularFile(context, 32 * MIB);
  const open = await native().openBlockFile(file, { write: true });
  const reads = Array.from({ length: 40 }, () => open.read(0n, 8 * MIB));
  const closed = open.close();
  const refused = failsWith({ code: "EBADF", target: file });
  await assert.rejects(open.read(0n, 1), refused);
  await assert.rejects(open.close(), refused);
  for (const data of await Promise.all(reads)) assert.equal(data.length, 8 * MIB);
  await closed;
  await assert.rejects(open.info(), refused);
  await assert.rejects(open.write(0n, new Uint8Array(1)), refused);
  await assert.rejects(open.zero(0n, 1n), refused);
  await assert.rejects(open.discard(0n, 1n), refused);
  await assert.rejects(open.sync(), refused);
  await assert.rejects(open.close(), refused);
});

test("closing releases the descriptor", async (context) => {
  const file = regularFile(context, 4096);
  const descriptors = (): number => fs.readdirSync("/proc/self/fd").length;
  await withFile(file, {}, async (open) => {
    await open.info();
  });
  const before = descriptors();
  for (let i = 0; i < 50; i++)
    await withFile(file, {}, async (open) => {
      await open.read(0n, 16);
    });
  assert.equal(descriptors(), before);
});

test("what is no device is refused with its path", async (context) => {
  const folder = temporaryFolder(context);
  const missing = path.join(folder, "missing");
  await assert.rejects(native().openBlockFile(missing), failsWith({ code: "ENOENT", target: missing }));
  await assert.rejects(native().openBlockFile(folder), failsWith({ code: "ENOTBLK", target: folder }));
  await assert.rejects(native().openBlockFile("/dev/null"), failsWith({ code: "ENOTBLK" }));
  await assert.rejects(native().openBlockFile(""), failsWith({ code: "ENOENT" }));
  await assert.rejects(native().openBlockFile("a\0b"), failsWith({ code: "EINVAL" }));
  const open = (...args: unknown[]): Promise<unknown> => callUntyped(native(), "openBlockFile", ...args);
  await assert.rejects(open(), failsWith({ code: "EINVAL", syscall: "openBlockFile" }));
  await assert.rejects(open(folder, { write: "yes" }), failsWith({ code: "EINVAL" }));
  await assert.rejects(open(folder, 7), failsWith({ code: "EINVAL" }));
});

test("a block device", async (context) => {
  const device = loopDevice(context, 16 * MIB);
  if (device === undefined) {
    await assert.rejects(native().openBlockFile("/dev/loop0"));
    return;
  }
  const exclusive = await native().openBlockFile(device, { write: true, exclusive: true, direct: true });
  await assert.rejects(
    native().openBlockFile(device, { exclusive: true }),
    failsWith({ code: "EBUSY", syscall: "open", target: device }),
  );
  const info = await exclusive.info();
  assert.equal(info.size, BigInt(16 * MIB));
  assert.deepEqual([info.isBlockDevice, info.readOnly, info.major], [true, false, 7]);
  assert.ok(info.logicalSectorSize >= 512 && info.physicalSectorSize >= info.logicalSectorSize);

  const data = randomBytes(MIB);
  await exclusive.write(0n, data);
  await exclusive.zero(4096n, 8192n);
  await exclusive.discard(65536n, 65536n);
  data.fill(0, 4096, 4096 + 8192);
  data.fill(0, 65536, 2 * 65536);
  assert.ok((await exclusive.read(0n, MIB)).equals(data));
  await exclusive.sync();
  await assert.rejects(exclusive.zero(1n, 4096n), failsWith({ code: "EINVAL", syscall: "zero" }));
  await assert.rejects(exclusive.discard(0n, 1n), failsWith({ code: "EINVAL", syscall: "discard" }));
  await assert.rejects(
    exclusive.zero(BigInt(16 * MIB), 4096n),
    failsWith({ code: "EINVAL", syscall: "BLKZEROOUT", target: device }),
  );
  await exclusive.close();
});
