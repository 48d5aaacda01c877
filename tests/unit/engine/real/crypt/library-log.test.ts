/** What libcryptsetup says of files that are LUKS2 devices, or none, as the log gets it. */
import assert from "node:assert/strict";
import { beforeEach, test, after } from "node:test";
import { levelOf, logLibraryMessages } from "../../../../../src/engine/real/crypt/library-log";
import { setLogSink } from "../../../../../src/log";
import { native } from "../../../../../src/native";
import { COMPACT, diskFile, luksFile, passphrase } from "../../../../native/crypt-support";

let lines: string[] = [];

beforeEach(() => {
  lines = [];
  setLogSink((level, target, message) => lines.push(`${level} ${target} ${message}`));
  logLibraryMessages();
});
after(() => {
  setLogSink(() => undefined);
});

const linesOf = (level: string): string[] =>
  lines.filter((line) => line.startsWith(`${level} stratisd::engine::crypt::library `));

test("what the library remarks is told, what it fails at is a warning, and neither has a secret", async (context) => {
  const { file } = await luksFile(context, ["the right one"]);
  assert.match(linesOf("info").join(), /keyslots area \(1048576 bytes\) is very small/);
  await assert.rejects(native().cryptFormat(file, { ...COMPACT, sectorSize: 1000 }), { code: "EINVAL" });
  assert.match(linesOf("warn").join(), /sector size/);
  await assert.rejects(native().cryptTest(file, passphrase("a wrong one")), { code: "EPERM" });
  assert.doesNotMatch(lines.join(), /right one|wrong one/);
});

test("a device without a header is no failure", async (context) => {
  assert.equal(await native().cryptLoad(diskFile(context, 1)), null);
  assert.deepEqual(lines, []);
});

test("that a header in a file has no data behind it is no warning", () => {
  const said = (file: string): string =>
    `Device ${file} is too small for activation, there is no remaining space for data.`;
  assert.equal(levelOf("error", said("/run/stratisd/headers-Xa12Bc/header")), "debug");
  assert.equal(levelOf("error", said("/dev/dm-3")), "warn");
});
