import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { initializeDevice, saveMetadata } from "../../../src/disk/bda";
import { crc32c } from "../../../src/disk/crc32c";
import { encodeMdaHeader } from "../../../src/disk/mda";
import { encodeSigblock, type StaticHeader } from "../../../src/disk/static-header";
import { dumpMetadata, type DumpOptions } from "../../../src/tools/dump-metadata";
import { ToolError } from "../../../src/tools/tool";
import { sectors } from "../../../src/units";
import { damagedText } from "../disk/damage";
import { DEVICE_BYTES, HEADER, RECORD_V2 } from "../disk/vectors";
import { MemoryBlockFile } from "../support/block-file";
import { Collected, memoryDisk, upstreamDumps } from "./images";

interface Dumped {
  stdout: string;
  stderr: string;
  /** Message of the ToolError. */
  error: string | null;
}

async function dumped(file: MemoryBlockFile, options: Partial<DumpOptions> = {}): Promise<Dumped> {
  const output = new Collected();
  let failure: string | null = null;
  try {
    await dumpMetadata(file, { printBytes: false, onlyPool: false, ...options }, output);
  } catch (error) {
    assert.ok(error instanceof ToolError, `threw ${String(error)}`);
    failure = error.message;
  }
  assert.deepEqual(file.operations, [], "something was written");
  return { stdout: output.stdout, stderr: output.stderr, error: failure };
}

const REGION_BYTES = 508n * 512n;
const regionAt = (region: bigint): bigint => 8192n + region * REGION_BYTES;

/** A device with two saves: "old" in regions 1 and 3, "new" in regions 0 and 2. */
async function savedTwice(): Promise<MemoryBlockFile> {
  const file = new MemoryBlockFile(DEVICE_BYTES);
  await initializeDevice(file, HEADER);
  const save = (second: bigint, name: string): Promise<string[]> =>
    saveMetadata(file, HEADER, { seconds: second, nanoseconds: 0 }, Buffer.from(`{"name":"${name}"}`));
  await save(1_748_779_201n, "first");
  await save(1_748_779_202n, "old");
  await save(1_748_779_203n, "new");
  file.operations = [];
  return file;
}

const ONLY_POOL = { onlyPool: true };

test("disks of golden pools are printed as upstream prints them", async () => {
  for (const pool of ["v2_plain", "v2_two"])
    for (const [index, text] of upstreamDumps(pool).entries()) {
      const found = await dumped(memoryDisk(`${pool}-disk${index + 1}`));
      assert.deepEqual(found, { stdout: text, stderr: "", error: null });
    }
});

test("only the pool's metadata", async () => {
  const [text = ""] = upstreamDumps("v2_plain");
  const { stdout, error } = await dumped(memoryDisk("v2_plain-disk1"), ONLY_POOL);
  assert.equal(error, null);
  assert.ok(text.endsWith(`\nPool metadata:\n${stdout}`));
  const bytesToo = await dumped(memoryDisk("v2_plain-disk1"), { onlyPool: true, printBytes: true });
  assert.equal(bytesToo.stdout, stdout);
});

test("a cache device has no metadata of the pool", async () => {
  const cache = memoryDisk("v2_cache-disk2");
  const { stdout, error } = await dumped(cache);
  assert.equal(error, null);
  assert.match(stdout, /mda_headers: \[\n +None,\n +None,\n/);
  assert.ok(stdout.endsWith("\nPool metadata:\nNone found\n"));
  assert.deepEqual(await dumped(cache, ONLY_POOL), { stdout: "", stderr: "", error: null });
});

test("the bytes of the signature block", async () => {
  const { stdout, error } = await dumped(memoryDisk("v2_plain-disk1"), { printBytes: true });
  assert.equal(error, null);
  assert.match(
    stdout,
    /^Signature block: \n\nHeader:\nStaticHeader \{\n[^]*\n\}\n\n\nBytes:\n\nLength: 512 \(0x200\) bytes\n0000: {3}(?:[0-9a-f]{2} {1,2}){4}21 53 74 72 /,
  );
  assert.match(stdout, /\n01f0: {3}00 00 00 00 .* {3}\.{16}\n\nBDA \{\n/);
});

test("a device that is not Stratis's", async () => {
  const empty = "\n\nHeader:\nNo signature buffer\n\n";
  assert.deepEqual(await dumped(new MemoryBlockFile(1n << 30n)), {
    stdout: `Signature block 1: ${empty}Signature block 2: ${empty}`,
    stderr: "",
    error: "No valid Stratis signature found",
  });
});

test("a device that is too small to be read", async () => {
  const { stdout, error } = await dumped(new MemoryBlockFile(100n), { printBytes: true });
  const text = "\n\nHeader:\nUnreadable\n\n\nBytes:\n\nReading at byte ";
  assert.ok(stdout.startsWith(`Signature block 1: ${text}512`), stdout);
  assert.match(error ?? "", /^No valid StaticHeader found: .*copy 1 can't be read/);
});

test("copies of the signature block that differ are shown both", async () => {
  for (const other of [
    { ...HEADER, flags: 2n },
    { ...HEADER, initializationTime: HEADER.initializationTime - 1n },
  ]) {
    const file = await savedTwice();
    file.poke(4096n + 512n, encodeSigblock(other));
    const { stdout, error } = await dumped(file);
    assert.equal(error, null);
    assert.match(stdout, /^Signature block 1: \n\nHeader:\nStaticHeader \{[^]*\n\nSignature block 2: \n/);
    assert.match(
      stdout,
      /\n\nBDA \{\n {4}header: StaticHeader \{[^]*initialization_time: 2025-06-01T12:00:00Z/,
    );
  }
});

test("one copy of the signature block is enough", async () => {
  const damaged = await savedTwice();
  damaged.poke(600n, Buffer.from([1]));
  const found = await dumped(damaged);
  assert.match(
    found.stdout,
    /^Signature block 1: \n\nHeader:\nError: signature block unusable: its checksum is 0x/,
  );
  assert.match(found.stdout, /"name": "new"\n\}\n$/);
  assert.equal(found.error, null);

  const unreadable = await savedTwice();
  unreadable.unreadable = [{ offset: 0n, length: 1024n }];
  const rest = await dumped(unreadable);
  assert.match(rest.stdout, /^Signature block 1: \n\nHeader:\nUnreadable\n/);
  assert.equal(rest.error, null);
});

test("copies that contradict one another", async () => {
  const file = await savedTwice();
  file.poke(512n, encodeSigblock({ ...HEADER, mdaSize: sectors(4064n) }));
  assert.match((await dumped(file)).error ?? "", /^No valid StaticHeader found: .*disagree/);
});

test("damage to one region costs nothing, but is told", async () => {
  const file = await savedTwice();
  file.poke(regionAt(0n) + 40n, Buffer.from([0]));
  file.poke(regionAt(1n), Buffer.from([0, 0, 0, 0]));
  const { stdout, stderr, error } = await dumped(file, ONLY_POOL);
  assert.equal(stdout, '{\n  "name": "new"\n}\n');
  assert.match(
    stderr,
    /^Damaged: MDA region 1: .*\nDamaged: MDA region 0, metadata of 1748779203\.000000000 .*\n$/,
  );
  assert.equal(error, null);
});

test("without the newest metadata the older is printed, and the program fails", async () => {
  const file = await savedTwice();
  file.poke(regionAt(0n) + 40n, Buffer.from([0]));
  file.poke(regionAt(2n) + 40n, Buffer.from([0]));
  const { stdout, error } = await dumped(file, ONLY_POOL);
  assert.equal(stdout, '{\n  "name": "old"\n}\n');
  assert.equal(
    error,
    "Error during load state: the metadata of 2025-06-01T12:00:03Z is lost; that of 2025-06-01T12:00:02Z was " +
      "printed instead",
  );
});

test("a pair of regions without a readable header", async () => {
  const file = await savedTwice();
  for (const region of [1n, 3n]) file.poke(regionAt(region), Buffer.from([0, 0, 0, 0]));
  const { stdout, error } = await dumped(file);
  assert.match(stdout, /Damaged\("the checksum of its header is wrong"\),\n/);
  assert.match(stdout, /"name": "new"\n\}\n$/);
  assert.match(error ?? "", /^BDA detected but error found: MDA region 1: .*; MDA region 3: /);
});

test("all metadata is lost", async () => {
  const file = await savedTwice();
  for (const region of [0n, 1n, 2n, 3n]) file.poke(regionAt(region) + 40n, Buffer.from([0]));
  assert.match((await dumped(file)).error ?? "", /^Error during load state: All copies of the pool metadata/);
});

test("metadata that is not JSON, or too long to be any pool's", async () => {
  const file = new MemoryBlockFile(DEVICE_BYTES);
  const large: StaticHeader = { ...HEADER, mdaSize: sectors(65_536n) };
  await initializeDevice(file, large);
  await saveMetadata(file, large, { seconds: 1n, nanoseconds: 0 }, Buffer.from("not JSON"));
  file.operations = [];
  assert.match(
    (await dumped(file)).error ?? "",
    /^Error during state JSON extract: Not a valid JSON document/,
  );
  await saveMetadata(file, large, { seconds: 2n, nanoseconds: 0 }, Buffer.alloc((1 << 22) + 1, " "));
  file.operations = [];
  assert.match(
    (await dumped(file)).error ?? "",
    /^Error during state JSON extract: it has 4194305 bytes, where no pool's has more than 4194304$/,
  );
});

const u64 = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 100_000n }));

test("a header with any sizes: output or an error, and no read beyond 64 MiB", async () => {
  const anyHeader = fc.record({ deviceSize: u64, mdaSize: u64, reservedSize: u64, flags: u64 });
  await fc.assert(
    fc.asyncProperty(anyHeader, u64, async (fields, used) => {
      const file = new MemoryBlockFile(1n << 40n);
      const read = file.read.bind(file);
      file.read = (offset, length) => {
        assert.ok(length <= 1 << 26);
        return read(offset, length);
      };
      const header = { ...HEADER, ...fields } as StaticHeader;
      file.poke(512n, encodeSigblock(header));
      file.poke(4096n + 512n, encodeSigblock(header));
      file.poke(8192n, encodeMdaHeader({ time: { seconds: 5n, nanoseconds: 0 }, used, dataCrc: 0 }));
      const { stdout } = await dumped(file);
      assert.match(stdout, /^Signature block: \n\nHeader:\nStaticHeader/);
    }),
  );
});

test("any JSON: it is printed, or an error", async () => {
  const words = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "0",
    "-",
    "1e9",
    "\u009b",
    "\\ud800",
    "18446744073709551616",
  ];
  await fc.assert(
    fc.asyncProperty(damagedText([RECORD_V2], words, /(?=[{}[\],:"])/), async (text) => {
      const json = Buffer.from(text);
      fc.pre(json.length > 0);
      const file = await savedTwice();
      const time = { seconds: 1_748_779_204n, nanoseconds: 0 };
      const header = encodeMdaHeader({ time, used: BigInt(json.length), dataCrc: crc32c(json) });
      file.poke(regionAt(1n), Buffer.concat([header, json]));
      const { stdout, error } = await dumped(file, ONLY_POOL);
      if (error === null) JSON.parse(stdout);
      else assert.match(error, /^Error during state JSON extract: /);
      // eslint-disable-next-line no-control-regex -- control characters are what it looks for
      assert.doesNotMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
    }),
  );
});
