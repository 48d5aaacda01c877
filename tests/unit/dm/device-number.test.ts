import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  deviceNumberOf,
  deviceNumbersEqual,
  formatDeviceNumber,
  parseDeviceNumber,
} from "../../../src/dm/device-number";
import { anyDevice, dmError } from "./lines";

test("both ways", () => {
  assert.equal(formatDeviceNumber({ major: 253, minor: 5 }), "253:5");
  assert.deepEqual(parseDeviceNumber("253:5"), { major: 253, minor: 5 });
  fc.assert(
    fc.property(anyDevice, (device) => {
      assert.deepEqual(parseDeviceNumber(formatDeviceNumber(device)), device);
    }),
  );
});

test("of what stat gives: eight bits of the minor number below the major one, the others above it", () => {
  assert.deepEqual(deviceNumberOf(0x0805n), { major: 8, minor: 5 });
  assert.deepEqual(deviceNumberOf(0xfed01n), { major: 0xfed, minor: 1 });
  assert.deepEqual(deviceNumberOf(0xabcffd12n), { major: 0xffd, minor: 0xabc12 });
});

test("equality", () => {
  assert.equal(deviceNumbersEqual({ major: 8, minor: 0 }, { major: 8, minor: 0 }), true);
  assert.equal(deviceNumbersEqual({ major: 8, minor: 0 }, { major: 8, minor: 1 }), false);
  assert.equal(deviceNumbersEqual({ major: 8, minor: 0 }, { major: 9, minor: 0 }), false);
});

test("other texts are refused", () => {
  for (const text of [
    "",
    ":",
    "8:",
    ":0",
    "8",
    "8:0:0",
    "-1:0",
    "8:0 ",
    "a:b",
    "/dev/sda",
    "4096:0",
    "0:1048576",
    "8:0\n",
  ])
    assert.throws(() => parseDeviceNumber(text), dmError(/not a device number/), text);
});
