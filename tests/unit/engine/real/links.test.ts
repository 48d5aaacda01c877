import assert from "node:assert/strict";
import { test } from "node:test";
import { classify, describeContent } from "../../../../src/engine/real/discovery/classify";
import { base32 } from "../../../../src/engine/real/uevent";
import type { UdevDevice } from "../../../../src/native";

test("names are sent in base32 without padding (RFC 4648, section 10)", () => {
  const vectors = {
    "": "",
    f: "MY",
    fo: "MZXQ",
    foo: "MZXW6",
    foob: "MZXW6YQ",
    fooba: "MZXW6YTB",
    foobar: "MZXW6YTBOI",
  };
  for (const [text, encoded] of Object.entries(vectors)) assert.equal(base32(text), encoded);
});

test("names beyond ASCII are sent as UTF-8", () => {
  assert.equal(base32("é"), "YOUQ");
});

const device = (properties: Record<string, string>): UdevDevice => ({
  action: "change",
  initialized: true,
  devnode: "/dev/vdx",
  major: 254,
  minor: 1,
  sysPath: "/sys/devices/x",
  properties,
});

const CASES: [Record<string, string>, string][] = [
  [{}, "unowned"],
  [{ ID_FS_TYPE: "stratis", ID_FS_USAGE: "raid" }, "stratis"],
  [{ ID_FS_TYPE: "crypto_LUKS", ID_FS_USAGE: "crypto" }, "luks"],
  [{ DM_MULTIPATH_DEVICE_PATH: "1", ID_FS_TYPE: "stratis" }, "multipathMember"],
  [{ DM_MULTIPATH_DEVICE_PATH: "0" }, "unowned"],
  [{ ID_FS_TYPE: "xfs", ID_FS_USAGE: "filesystem" }, "theirs"],
  [{ ID_PART_TABLE_TYPE: "gpt" }, "theirs"],
  [{ ID_PART_TABLE_TYPE: "gpt", ID_PART_ENTRY_DISK: "254:0" }, "unowned"],
];
for (const [properties, owner] of CASES)
  test(`${JSON.stringify(properties)} belongs to ${owner}`, () => {
    assert.equal(classify(device(properties)), owner);
  });

test("what is on a device is named", () => {
  assert.equal(describeContent(device({ ID_FS_TYPE: "xfs" })), "a xfs signature");
  assert.equal(describeContent(device({ ID_PART_TABLE_TYPE: "dos" })), "a dos partition table");
});
