import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import {
  metadataSize,
  newDeviceRecord,
  newPoolRecord,
  totalSize,
} from "../../../src/engine/real/backstore/allocation";
import { validateIntegrity } from "../../../src/engine/validation";
import {
  filesystemsJson,
  poolJson,
  predictFilesystems,
  predictPool,
  type PlannedPool,
} from "../../../src/tools/predict-usage";
import { ToolError } from "../../../src/tools/tool";
import { bytes, sectorsToBytes, sumSectors } from "../../../src/units";
import { newHeader } from "../engine/real/pools";

const GIB = 1n << 30n;
const TIB = 1n << 40n;

const plan = (
  deviceSizes: bigint[],
  filesystemSizes: bigint[] = [],
  rest: Partial<PlannedPool> = {},
): PlannedPool => ({
  deviceSizes: deviceSizes.map(bytes),
  filesystemSizes: filesystemSizes.map(bytes),
  overprovisioned: true,
  integrity: validateIntegrity({}),
  ...rest,
});

const refused = (run: () => unknown, message: RegExp): void => {
  assert.throws(run, (error) => error instanceof ToolError && message.test(error.message));
};

test("one device of 1 TiB, as upstream predicts it", () => {
  assert.equal(
    poolJson(predictPool(plan([TIB]))),
    '{"free":"1081093386240","stratis-admin-space":"1082130432","stratis-metadata-space":"17336111104",' +
      '"total":"1099511627776","used":"18418241536"}',
  );
  const { free, used } = predictPool(plan([TIB], [GIB]));
  assert.equal(sectorsToBytes(free), 1081071366144n);
  assert.equal(sectorsToBytes(used), 18440261632n);
});

test("three devices of 8 GiB, as upstream predicts them", () => {
  const { total, used } = predictPool(plan([8n * GIB, 8n * GIB, 8n * GIB]));
  assert.equal(sectorsToBytes(total), 25769803776n);
  assert.equal(sectorsToBytes(used), 1393569792n);
});

test("a prediction is what the engine does", () => {
  const uuids = ["5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e61", "5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e62"];
  const size = fc.bigInt({ min: 4n * GIB, max: 64n * TIB });
  const tagSpec = fc.constantFrom("0b", "32b", "512b");
  const journal = fc.bigInt({ min: 0n, max: 65_536n });
  fc.assert(
    fc.property(
      fc.array(size, { minLength: 1, maxLength: 2 }),
      tagSpec,
      journal,
      fc.boolean(),
      (sizes, tag, blocks, allocateSuperblock) => {
        const journalSize = bytes(blocks * 4096n);
        const integrity = validateIntegrity({ tagSpec: tag, journalSize, allocateSuperblock });
        const list = sizes.map((value, index) => newHeader(value / 512n, uuids[index] ?? ""));
        const headers = new Map(list.map((header) => [header.devUuid, header]));
        const devices = list.map((header) => newDeviceRecord(header, integrity, null));
        const record = newPoolRecord("p", devices, headers, integrity);
        const { mdv, thinMeta, thinMetaSpare } = record.flexDevices;
        const admin = sumSectors([...mdv, ...thinMeta, ...thinMetaSpare].map(({ length }) => length));

        const predicted = predictPool(plan(sizes, [], { integrity }));
        assert.equal(predicted.total, totalSize(record, headers));
        assert.equal(predicted.metadataSpace, metadataSize(record, headers));
        assert.equal(predicted.adminSpace, admin);
        assert.equal(predicted.used, predicted.metadataSpace + admin);
        assert.equal(predicted.free, predicted.total - predicted.used);
      },
    ),
  );
});

test("filesystems take what upstream measured for the next power of two below their size", () => {
  const rows: [bigint, bigint][] = [
    [GIB / 2n, 20971520n],
    [GIB - 512n, 20971520n],
    [GIB, 22020096n],
    [TIB, 1108344832n],
    [2n * TIB - 512n, 1108344832n],
    [2n * TIB, 2171600896n],
    [16384n * TIB, 36498833408n],
    [32768n * TIB - 512n, 36498833408n],
  ];
  for (const [size, used] of rows)
    assert.equal(sectorsToBytes(predictFilesystems([bytes(size)], true)), used, `${size} bytes`);
});

test("filesystems add up, in full without overprovisioning", () => {
  assert.equal(filesystemsJson(predictFilesystems([bytes(GIB), bytes(TIB)], true)), '{"used":"1130364928"}');
  assert.equal(
    filesystemsJson(predictFilesystems([bytes(GIB), bytes(TIB)], false)),
    '{"used":"1100585369600"}',
  );
  const both = plan([4n * TIB], [GIB, TIB], { overprovisioned: false });
  const empty = predictPool(plan([4n * TIB]));
  assert.equal(empty.free - predictPool(both).free, (GIB + TIB) / 512n);
});

test("sizes that no filesystem can have", () => {
  for (const size of [0n, GIB / 2n - 512n, 32768n * TIB, 2n ** 127n])
    refused(
      () => predictFilesystems([bytes(size)], true),
      /^Specified filesystem size \d+ bytes is not within/,
    );
  refused(() => predictFilesystems([bytes(GIB + 1n)], false), /is not a multiple of sector size, 512\.$/);
});

test("devices that are too small", () => {
  refused(() => predictPool(plan([TIB, 0n])), /^Some device sizes too small for DM metadata\.$/);
  refused(() => predictPool(plan([GIB / 2n])), /^Sum of all device sizes too small for a Stratis pool\.$/);
  // Enough for what is on the device itself, but not for the room of a LUKS2 header.
  const integrity = validateIntegrity({ tagSpec: "0b", journalSize: bytes(0n), allocateSuperblock: false });
  refused(() => predictPool(plan([8193n * 512n], [], { integrity })), /^Sum of all device sizes/);
  refused(
    () => predictPool(plan([4n * GIB], [4n * GIB], { overprovisioned: false })),
    /^Filesystems will take up too much space on specified pool\.$/,
  );
});

test("a mistake in a filesystem's size is told before one in a device's", () => {
  refused(() => predictPool(plan([0n], [1n])), /^Specified filesystem size 1 bytes/);
});

test("the way to the result is told", () => {
  const said: string[] = [];
  predictPool(plan([TIB]), (text) => said.push(text));
  assert.deepEqual(said, [
    "Total size of device: 2147483648 sectors",
    "Deduction for stratis metadata: 8192 sectors",
    "Deduction for integrity space: 33816584 sectors",
    "Size after deductions: 2113658872 sectors",
  ]);
});

test("devices beyond any that exist are counted exactly", () => {
  const { total, used, free } = predictPool(plan([2n ** 127n]));
  assert.equal(total, 2n ** 118n);
  assert.equal(used + free, total);
});
