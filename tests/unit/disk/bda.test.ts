import assert from "node:assert/strict";
import { test } from "node:test";
import {
  initializeDevice,
  lastUpdateTime,
  readMetadata,
  readStaticHeader,
  repairStaticHeader,
  saveMetadata,
  wipeStaticHeader,
  writeStaticHeader,
} from "../../../src/disk/bda";
import { encodeMdaHeader, type Timestamp } from "../../../src/disk/mda";
import { encodeSigblock, type StaticHeader } from "../../../src/disk/static-header";
import { sectors } from "../../../src/units";
import { MemoryBlockFile } from "../support/block-file";
import {
  DEVICE_BYTES,
  formatError,
  fromHex,
  HEADER,
  INITIAL_HEADER,
  RECORD_V2,
  SIGBLOCK_V2,
} from "./vectors";

const REGION = [8192n, 268_288n, 528_384n, 788_480n] as const;
const T1: Timestamp = { seconds: 1_748_779_201n, nanoseconds: 123_456_789 };
const later = (by: number): Timestamp => ({ seconds: T1.seconds + BigInt(by), nanoseconds: 0 });

async function initialized(): Promise<MemoryBlockFile> {
  const file = new MemoryBlockFile(DEVICE_BYTES);
  // What an earlier user left must not matter.
  file.poke(0n, Buffer.alloc(1 << 20, 0xa5));
  await initializeDevice(file, HEADER);
  return file;
}

/** Two saves done: the older record in regions 0 and 2, the newer one in 1 and 3. */
async function savedTwice(): Promise<MemoryBlockFile> {
  const file = await initialized();
  await saveMetadata(file, HEADER, later(1), Buffer.from("older record"));
  await saveMetadata(file, HEADER, later(2), Buffer.from("newer record"));
  file.operations = [];
  return file;
}

const newestText = async (file: MemoryBlockFile): Promise<string | null> =>
  (await readMetadata(file, HEADER)).newest?.json.toString() ?? null;

const spoil = (file: MemoryBlockFile, offset: bigint): void => {
  file.poke(offset, Buffer.from([(file.peek(offset, 1)[0] ?? 0) ^ 0xff]));
};
const spoilHeader = (file: MemoryBlockFile, region: 0 | 1 | 2 | 3): void => {
  spoil(file, REGION[region] + 20n);
};
const spoilData = (file: MemoryBlockFile, region: 0 | 1 | 2 | 3): void => {
  spoil(file, REGION[region] + 32n + 5n);
};

test("an initialized device has upstream's bytes", async () => {
  const file = await initialized();
  const copy = Buffer.concat([Buffer.alloc(512), SIGBLOCK_V2, Buffer.alloc(3072)]);
  assert.deepEqual(file.peek(0n, 8192), Buffer.concat([copy, copy]));
  for (const offset of REGION) assert.deepEqual(file.peek(offset, 32), INITIAL_HEADER);
  assert.deepEqual(file.peek(8224n, 64), Buffer.alloc(64, 0xa5), "nothing else is written");
  assert.deepEqual(await readStaticHeader(file), { header: HEADER, repair: null });
  assert.deepEqual(await readMetadata(file, HEADER), { newest: null, damaged: [] });
  assert.equal(await lastUpdateTime(file, HEADER), null);
});

test("initialization writes region headers, then one copy after the other, each made durable", async () => {
  const file = await initialized();
  const steps = file.operations.map((operation) =>
    operation.kind === "write" ? operation.offset : operation.kind,
  );
  assert.deepEqual(steps, [...REGION, "sync", 0n, "sync", 4096n, "sync"]);
});

test("the worked example of a first save", async () => {
  const file = await initialized();
  file.operations = [];
  await saveMetadata(file, HEADER, T1, Buffer.from(RECORD_V2));
  const expected = Buffer.concat([
    fromHex("f556154cfa3eacdc0403000000000000c1403c680000000015cd5b0701010000"),
    Buffer.from(RECORD_V2),
  ]);
  assert.deepEqual(file.operations, [
    { kind: "write", offset: REGION[0], data: expected },
    { kind: "sync" },
    { kind: "write", offset: REGION[2], data: expected },
    { kind: "sync" },
  ]);
  const { newest, damaged } = await readMetadata(file, HEADER);
  assert.deepEqual(newest, { time: T1, json: Buffer.from(RECORD_V2) });
  assert.deepEqual(damaged, []);
  assert.deepEqual(await lastUpdateTime(file, HEADER), T1);
});

test("saves go to the pairs in turn and the newest is read", async () => {
  const file = await initialized();
  for (let save = 1; save <= 5; save += 1) {
    file.operations = [];
    await saveMetadata(file, HEADER, later(save), Buffer.from(`record ${save}`));
    const offsets = file.operations.flatMap((operation) =>
      operation.kind === "write" ? [operation.offset] : [],
    );
    assert.deepEqual(offsets, save % 2 === 1 ? [REGION[0], REGION[2]] : [REGION[1], REGION[3]]);
    assert.equal(await newestText(file), `record ${save}`);
  }
});

test("a region that can't be written leaves the record in the other one of its pair", async () => {
  for (const bad of [0, 2] as const) {
    const file = await savedTwice();
    file.unwritable = [{ offset: REGION[bad], length: 4096n }];
    const problems = await saveMetadata(file, HEADER, later(3), Buffer.from("third record"));
    assert.match(problems.join(), new RegExp(`^MDA region ${bad} can't be written: .*input/output error$`));
    assert.equal(await newestText(file), "third record");
    assert.deepEqual(await saveMetadata(file, HEADER, later(4), Buffer.from("fourth record")), []);
    assert.equal(await newestText(file), "fourth record");
  }
});

test("where no region of the pair can be written the save fails, and the record is the one before", async () => {
  const file = await savedTwice();
  file.unwritable = [0, 2].map((bad) => ({ offset: REGION[bad as 0 | 2], length: 4096n }));
  await assert.rejects(saveMetadata(file, HEADER, later(3), Buffer.from("x")), /input\/output error/);
  assert.equal(await newestText(file), "newer record");
});

test("a save that is not later than the record on the device writes nothing", async () => {
  const file = await savedTwice();
  for (const time of [later(2), later(1), { seconds: 0n, nanoseconds: 0 }])
    await assert.rejects(
      saveMetadata(file, HEADER, time, Buffer.from("x")),
      formatError(/can't be saved.*has metadata of/),
    );
  assert.deepEqual(file.operations, []);
  await saveMetadata(file, HEADER, { ...later(2), nanoseconds: 1 }, Buffer.from("x"));
  assert.equal(await newestText(file), "x");
});

test("the longest record that fits is saved, one byte more is refused", async () => {
  const file = await initialized();
  file.operations = [];
  await assert.rejects(
    saveMetadata(file, HEADER, T1, Buffer.alloc(260_065, "x")),
    formatError(/260065 bytes can't be saved.*1 to 260064 bytes/),
  );
  await assert.rejects(
    saveMetadata(file, HEADER, T1, Buffer.alloc(0)),
    formatError(/0 bytes can't be saved/),
  );
  assert.deepEqual(file.operations, []);
  await saveMetadata(file, HEADER, T1, Buffer.alloc(260_064, "x"));
  await saveMetadata(file, HEADER, later(1), Buffer.alloc(260_064, "y"));
  assert.equal(await newestText(file), "y".repeat(260_064));
});

test("offsets follow from the header, not from the default sizes", async () => {
  const header: StaticHeader = { ...HEADER, mdaSize: sectors(64n), reservedSize: sectors(0n) };
  const file = new MemoryBlockFile(DEVICE_BYTES);
  await initializeDevice(file, header);
  assert.deepEqual(file.peek(8192n + 3n * 16n * 512n, 32), INITIAL_HEADER);
  await saveMetadata(file, header, T1, Buffer.alloc(8160, "z"));
  await assert.rejects(
    saveMetadata(file, header, later(5), Buffer.alloc(8161, "z")),
    formatError(/1 to 8160 bytes/),
  );
});

/** on-disk-format.md §18.8, where §21 rows 1 and 2 ask for more than upstream gives. */
const DAMAGES: [string, (file: MemoryBlockFile) => void, string, RegExp[]][] = [
  [
    "data of region 1",
    (file) => {
      spoilData(file, 1);
    },
    "newer record",
    [/region 1.*checksum/],
  ],
  [
    "header of region 1",
    (file) => {
      spoilHeader(file, 1);
    },
    "newer record",
    [/region 1.*header/],
  ],
  [
    "header of region 1 and data of region 3",
    (file) => {
      spoilHeader(file, 1);
      spoilData(file, 3);
    },
    "newer record",
    [/region 1.*header/, /region 3.*checksum/],
  ],
  [
    "data of regions 1 and 3",
    (file) => {
      spoilData(file, 1);
      spoilData(file, 3);
    },
    "older record",
    [/region 1/, /region 3/],
  ],
  [
    "headers of regions 1 and 3",
    (file) => {
      spoilHeader(file, 1);
      spoilHeader(file, 3);
    },
    "older record",
    [/region 1/, /region 3/],
  ],
  [
    "headers of regions 0 and 2",
    (file) => {
      spoilHeader(file, 0);
      spoilHeader(file, 2);
    },
    "newer record",
    [/region 0/, /region 2/],
  ],
  [
    "an unreadable region 1",
    (file) => {
      file.unreadable.push({ offset: REGION[1], length: 4096n });
    },
    "newer record",
    [/region 1.*input\/output/],
  ],
  [
    "unreadable data in region 1",
    (file) => {
      file.unreadable.push({ offset: REGION[1] + 32n, length: 1n });
    },
    "newer record",
    [/region 1.*can't be read/],
  ],
  [
    "all but region 2",
    (file) => {
      spoilData(file, 0);
      spoilHeader(file, 1);
      spoilData(file, 1);
      spoilData(file, 3);
    },
    "older record",
    [/region 1/, /region 3/, /region 1/, /region 0/],
  ],
];

for (const [what, damage, expected, reports] of DAMAGES)
  test(`damage to ${what} is survived, told, and mended by the next saves`, async () => {
    const file = await savedTwice();
    damage(file);
    const { newest, damaged } = await readMetadata(file, HEADER);
    assert.equal(newest?.json.toString(), expected);
    assert.deepEqual(await lastUpdateTime(file, HEADER), newest.time);
    assert.equal(damaged.length, reports.length, damaged.join("\n"));
    damaged.forEach((text, index) => {
      assert.match(text, reports[index] ?? /never/);
    });

    await saveMetadata(file, HEADER, later(3), Buffer.from("third record"));
    assert.equal(await newestText(file), "third record");
    await saveMetadata(file, HEADER, later(4), Buffer.from("fourth record"));
    file.unreadable = [];
    assert.deepEqual((await readMetadata(file, HEADER)).damaged, []);
    assert.equal(await newestText(file), "fourth record");
  });

test("a length beyond the region is damage, and is not read", async () => {
  const file = await savedTwice();
  for (const used of [260_065n, 2n ** 62n])
    for (const region of [1, 3] as const)
      file.poke(REGION[region], encodeMdaHeader({ time: later(9), used, dataCrc: 0 }));
  const { newest, damaged } = await readMetadata(file, HEADER);
  assert.equal(newest?.json.toString(), "older record");
  assert.match(damaged.join(), /claims 4611686018427387904 bytes of metadata where 260064 fit/);
});

test("all records lost: reading throws, the time is what headers tell, and saving works again", async () => {
  const file = await savedTwice();
  for (const region of [0, 1, 2, 3] as const) spoilData(file, region);
  await assert.rejects(
    readMetadata(file, HEADER),
    formatError(/All copies of the pool metadata on device 5e1f4c3a.*are damaged/),
  );
  assert.deepEqual(await lastUpdateTime(file, HEADER), later(2));
  for (const region of [0, 1, 2, 3] as const) spoilHeader(file, region);
  await assert.rejects(readMetadata(file, HEADER), formatError(/damaged/));
  await assert.rejects(lastUpdateTime(file, HEADER), formatError(/damaged/));
  await saveMetadata(file, HEADER, later(3), Buffer.from("again"));
  assert.equal(await newestText(file), "again");
});

test("a device that can't be read at all is not taken for one without metadata", async () => {
  const file = await savedTwice();
  file.unreadable.push({ offset: 8192n, length: 1n << 20n });
  await assert.rejects(readMetadata(file, HEADER), formatError(/input\/output error/));
});

test("static header: one bad copy is reported for repair and nothing is written", async () => {
  for (const copy of [0, 1] as const) {
    const file = await initialized();
    file.operations = [];
    spoil(file, BigInt(copy * 4096 + 512 + 30));
    assert.deepEqual(await readStaticHeader(file), { header: HEADER, repair: copy });
    assert.deepEqual(file.operations, []);
    await repairStaticHeader(file, HEADER, copy);
    assert.deepEqual(await readStaticHeader(file), { header: HEADER, repair: null });
    assert.equal(file.operations.length, 2);
  }
});

test("static header: an unreadable copy does not hide the other", async () => {
  const file = await initialized();
  file.unreadable.push({ offset: 512n, length: 512n });
  assert.deepEqual(await readStaticHeader(file), { header: HEADER, repair: 0 });
  file.unreadable = [{ offset: 4608n, length: 512n }];
  assert.deepEqual(await readStaticHeader(file), { header: HEADER, repair: 1 });
  file.unreadable.push({ offset: 512n, length: 512n });
  await assert.rejects(readStaticHeader(file), formatError(/copy 1 can't be read.*copy 2 can't be read/));
});

test("static header: no repair when the device became somebody else's meanwhile", async () => {
  const file = await initialized();
  await wipeStaticHeader(file);
  await assert.rejects(repairStaticHeader(file, HEADER, 1), formatError(/not repaired/));
  await writeStaticHeader(file, { ...HEADER, flags: 2n });
  await assert.rejects(repairStaticHeader(file, HEADER, 1), formatError(/not repaired/));
});

test("static header: after wiping, none; on a device without one, none", async () => {
  const file = await savedTwice();
  await wipeStaticHeader(file);
  assert.equal(await readStaticHeader(file), null);
  assert.deepEqual(file.peek(0n, 8192), Buffer.alloc(8192));
  assert.equal(await readStaticHeader(new MemoryBlockFile(1n << 30n)), null);
  await assert.rejects(readStaticHeader(new MemoryBlockFile(512n)), formatError(/can't be read/));
});

test("static header: the device's own size settles an interrupted grow", async () => {
  const grown = { ...HEADER, deviceSize: sectors(HEADER.deviceSize + 4096n) };
  const file = new MemoryBlockFile(DEVICE_BYTES + 4096n * 512n);
  await initializeDevice(file, HEADER);
  file.poke(512n, encodeSigblock(grown));
  assert.deepEqual(await readStaticHeader(file), { header: grown, repair: 1 });
  assert.deepEqual(await readStaticHeader(file, { deviceSize: HEADER.deviceSize }), {
    header: HEADER,
    repair: 0,
  });
});

test("impossible sizes under a right checksum are refused before they become offsets", async () => {
  const hostile = { ...HEADER, mdaSize: sectors(2n ** 62n) };
  const file = new MemoryBlockFile(DEVICE_BYTES);
  for (const offset of [512n, 4608n]) file.poke(offset, encodeSigblock(hostile));
  await assert.rejects(readStaticHeader(file), formatError(/unusable/));
  for (const attempt of [
    readMetadata(file, hostile),
    lastUpdateTime(file, hostile),
    saveMetadata(file, hostile, T1, Buffer.from("x")),
    writeStaticHeader(file, hostile),
    initializeDevice(file, hostile),
  ])
    await assert.rejects(attempt, formatError(/unusable/));
  assert.deepEqual(file.operations, []);
});
