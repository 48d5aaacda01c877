import assert from "node:assert/strict";
import { test } from "node:test";
import { checkPoolRecord, parsePoolRecord, type PoolRecord } from "../../../src/disk/pool-record";
import { sectors } from "../../../src/units";
import { devUuid, type DevUuid } from "../../../src/uuid";
import { formatError, RECORD_V1, RECORD_V2, RECORD_V2_CACHE, RECORD_V2_ENCRYPTED, segment } from "./vectors";

const DEV = devUuid("5e1f4c3a-7b2d-4e90-9c8b-1a2b3c4d5e6f");

test("check: the worked examples are consistent, each in its own version only", () => {
  checkPoolRecord(parsePoolRecord(RECORD_V1), 1);
  for (const example of [RECORD_V2, RECORD_V2_CACHE, RECORD_V2_ENCRYPTED]) {
    checkPoolRecord(parsePoolRecord(example), 2);
    assert.throws(
      () => {
        checkPoolRecord(parsePoolRecord(example), 1);
      },
      formatError(/inconsistent/),
    );
  }
});

const stranger = devUuid("99999999-9999-4999-8999-999999999999");
const device = (uuid: DevUuid): PoolRecord["dataTier"]["devices"][number] => ({
  uuid,
  integrityMetaAllocations: [],
  userInfo: null,
  hardwareInfo: null,
});

/** Changes to the V2 example with a cache, and to the V1 example, that make them inconsistent. */
const INCONSISTENT: [string, 1 | 2, (record: PoolRecord) => void, RegExp][] = [
  [
    "data block size",
    2,
    (r) => {
      r.thinPool.dataBlockSize = sectors(128n);
    },
    /blocks have 128 sectors/,
  ],
  [
    "foreign feature argument",
    2,
    (r) => {
      r.thinPool.featureArgs = ["x 0 1 linear"];
    },
    /not a feature argument/,
  ],
  [
    "feature argument twice",
    2,
    (r) => {
      r.thinPool.featureArgs = ["read_only", "read_only"];
    },
    /twice/,
  ],
  [
    "no data device",
    2,
    (r) => {
      r.dataTier.devices = [];
    },
    /no data device/,
  ],
  [
    "device twice",
    2,
    (r) => {
      r.dataTier.devices.push(device(DEV));
    },
    /listed twice/,
  ],
  [
    "device in both tiers",
    2,
    (r) => {
      r.cacheTier?.devices.push(device(DEV));
    },
    /listed twice/,
  ],
  [
    "segment on a stranger",
    2,
    (r) => {
      r.dataTier.allocations.push({ parent: stranger, ...segment(0, 1) });
    },
    /not in that tier/,
  ],
  [
    "overlap on a device",
    2,
    (r) => {
      r.dataTier.allocations.push({ parent: DEV, ...segment(9000, 1) });
    },
    /used twice/,
  ],
  [
    "overlap with integrity",
    2,
    (r) => {
      r.dataTier.allocations.push({ parent: DEV, ...segment(20381688, 1) });
    },
    /used twice/,
  ],
  [
    "empty cache",
    2,
    (r) => {
      if (r.cacheTier) r.cacheTier.metaAllocations = [];
    },
    /lacks space/,
  ],
  [
    "cache without device",
    2,
    (r) => {
      if (r.cacheTier) r.cacheTier.devices = [];
    },
    /no device/,
  ],
  [
    "empty flex device",
    2,
    (r) => {
      r.flexDevices.thinData = [];
    },
    /thinData has no segment/,
  ],
  [
    "empty flex segment",
    2,
    (r) => {
      r.flexDevices.mdv.push(segment(0, 0));
    },
    /mdv has no segment/,
  ],
  [
    "flex not of the allocated size",
    2,
    (r) => {
      r.flexDevices.mdv = [segment(19322880, 1048575)];
    },
    /allocated, but flex devices have/,
  ],
  [
    "flex devices overlap",
    2,
    (r) => {
      r.flexDevices.thinMetaSpare = r.flexDevices.thinMeta;
    },
    /used twice/,
  ],
  [
    "flex device in the LUKS2 space",
    2,
    (r) => {
      r.flexDevices.thinMeta = [segment(0, 12288)];
    },
    /used twice/,
  ],
  [
    "data tier too small",
    2,
    (r) => {
      r.dataTier.allocations = [{ parent: DEV, ...segment(8192, 20371455) }];
    },
    /allocated from a data tier/,
  ],
  [
    "nothing allocated on devices",
    2,
    (r) => {
      r.dataTier.allocations = [];
    },
    /data tier of 0 sectors/,
  ],
  [
    "gap on the cap device",
    2,
    (r) => {
      r.cap.allocations = r.cap.allocations.map(({ start, length }) => ({
        start: sectors(start + 2048n),
        length,
      }));
      for (const list of Object.values(r.flexDevices))
        for (const range of list) range.start = sectors(range.start + 2048n);
    },
    /gaps/,
  ],
  [
    "overlap on the cap device",
    2,
    (r) => {
      const [first, ...others] = r.cap.allocations;
      if (first) r.cap.allocations = [{ start: sectors(first.start - 1n), length: first.length }, ...others];
    },
    /used twice/,
  ],
  [
    "V1: no cap allocation",
    1,
    (r) => {
      r.cap.allocations = [];
    },
    /nothing is recorded/,
  ],
  [
    "V1: cap of another length",
    1,
    (r) => {
      r.cap.allocations = [segment(0, 20963327)];
    },
    /end at 20963328/,
  ],
  [
    "V1: flex with a gap",
    1,
    (r) => {
      r.flexDevices.thinMetaSpare = [segment(12288, 12287)];
    },
    /flex devices have 20963327/,
  ],
  [
    "V1: flex devices overlap",
    1,
    (r) => {
      r.flexDevices.thinMetaSpare = r.flexDevices.thinMeta;
    },
    /used twice/,
  ],
  [
    "V1: data tier too small",
    1,
    (r) => {
      r.dataTier.allocations = [{ parent: DEV, ...segment(8192, 20963327) }];
    },
    /data tier of 20963327/,
  ],
];

test("check: every inconsistency is told", () => {
  for (const [what, version, change, message] of INCONSISTENT) {
    const record = parsePoolRecord(version === 2 ? RECORD_V2_CACHE : RECORD_V1);
    checkPoolRecord(record, version);
    change(record);
    assert.throws(
      () => {
        checkPoolRecord(record, version);
      },
      formatError(message),
      what,
    );
  }
});

test("check: in an encrypted pool flex devices begin at sector 0 of the cap device", () => {
  const record = parsePoolRecord(RECORD_V2_ENCRYPTED);
  assert.throws(
    () => {
      checkPoolRecord({ ...record, features: [] }, 2);
    },
    formatError(/used twice/),
  );
  const plainRecord = parsePoolRecord(RECORD_V2);
  assert.throws(() => {
    checkPoolRecord({ ...plainRecord, features: ["Encryption"] }, 2);
  }, formatError(/gaps/));
});
