/** Completing a LUKS2 header whose re-encryption was interrupted at its very end. */
import * as assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { missingEnd } from "../../../src/disk/luks2-completion";

const HALF = 16384;

const completedReencryption = (copies: Buffer): Buffer | null => missingEnd(copies)?.copies ?? null;

type Json = Record<string, unknown>;

const CHECKSUMS = {
  type: "checksum",
  offset: "548864",
  size: "16384",
  hash: "sha256",
  sector_size: 4096,
};
const segment = {
  type: "crypt",
  offset: "2097152",
  size: "dynamic",
  encryption: "aes-xts-plain64",
  sector_size: 512,
};

/** All data are done; the keyslots of digest 1, the old key, are gone. */
function interrupted(): Json {
  return {
    keyslots: {
      "0": { type: "luks2", key_size: 64 },
      "2": { type: "reencrypt", mode: "reencrypt", direction: "forward", key_size: 1, area: CHECKSUMS },
    },
    tokens: { "3": { type: "stratis", keyslots: [], note: "ünï" } },
    segments: {
      "0": segment,
      "1": { ...segment, flags: ["backup-previous"] },
      "2": { flags: ["backup-final"], ...segment },
    },
    digests: {
      "0": { type: "pbkdf2", keyslots: ["0"], segments: ["0", "2"] },
      "1": { type: "pbkdf2", keyslots: [], segments: ["1"] },
      "2": { type: "pbkdf2", keyslots: ["2"], segments: [] },
    },
    config: {
      json_size: "12288",
      keyslots_size: "1048576",
      requirements: { mandatory: ["online-reencrypt-v2"] },
    },
  };
}

function copy(json: unknown, secondary: boolean, sequence = 7n): Buffer {
  const bytes = Buffer.alloc(HALF);
  bytes.write(secondary ? "SKUL\xba\xbe" : "LUKS\xba\xbe", 0, "latin1");
  bytes.writeUInt16BE(2, 6);
  bytes.writeBigUInt64BE(BigInt(HALF), 8);
  bytes.writeBigUInt64BE(sequence, 16);
  bytes.write("a label", 24, "latin1");
  bytes.write("sha256", 72, "latin1");
  bytes.write("6a0c3a0e-5b1f-4d0a-9e0f-0d2a8e6c1b44", 168, "latin1");
  bytes.writeBigUInt64BE(secondary ? BigInt(HALF) : 0n, 256);
  bytes.write(typeof json === "string" ? json : JSON.stringify(json), 4096, "utf8");
  createHash("sha256").update(bytes).digest().copy(bytes, 448);
  return bytes;
}

const both = (json: unknown): Buffer => Buffer.concat([copy(json, false), copy(json, true)]);

function jsonOf(copies: Buffer, at: number): unknown {
  const text = copies.subarray(at + 4096, at + HALF);
  return JSON.parse(text.toString("utf8", 0, text.indexOf(0)));
}

const completed = {
  ...interrupted(),
  keyslots: { "0": { type: "luks2", key_size: 64 } },
  segments: { "0": segment },
  digests: { "0": { type: "pbkdf2", keyslots: ["0"], segments: ["0"] } },
  config: { json_size: "12288", keyslots_size: "1048576" },
};

test("the marks of the operation go, and everything else stays", () => {
  const result = completedReencryption(both(interrupted()));
  assert.ok(result !== null);
  for (const at of [0, HALF]) {
    assert.deepEqual(jsonOf(result, at), JSON.parse(JSON.stringify(completed)));
    assert.ok(result.subarray(at, at + HALF).equals(copy(jsonOf(result, at), at > 0, 8n)));
  }
  assert.equal(completedReencryption(result), null, "nothing is left to do");
});

test("the newer right copy counts", () => {
  const [done, open] = [completed, interrupted()];
  const from = (first: Buffer, second: Buffer): Buffer | null =>
    completedReencryption(Buffer.concat([first, second]));
  assert.equal(from(copy(open, false, 7n), copy(done, true, 8n)), null);
  assert.equal(from(copy(done, false, 9n), copy(open, true, 8n)), null);
  assert.ok(from(copy(done, false, 7n), copy(open, true, 8n)) !== null);
  assert.ok(from(Buffer.alloc(HALF), copy(open, true)) !== null);
  assert.ok(from(copy(open, false), Buffer.alloc(HALF)) !== null);
  assert.equal(from(Buffer.alloc(HALF), Buffer.alloc(HALF)), null);
  assert.equal(from(copy(open, true), copy(open, false)), null, "copies in each other's place");
});

test("a header at any other point is left alone", () => {
  const changes: [string, (json: Json) => void][] = [
    ["no requirement", (json) => delete json["config"]],
    [
      "another requirement",
      (json) => (json["config"] = { requirements: { mandatory: ["online-reencrypt", "new"] } }),
    ],
    ["no requirements", (json) => (json["config"] = { requirements: { mandatory: [] } })],
    ["no reencrypt keyslot", (json) => delete (json["keyslots"] as Json)["2"]],
    ["backward", (json) => (((json["keyslots"] as Json)["2"] as Json)["direction"] = "backward")],
    [
      "not begun",
      (json) => {
        (json["digests"] as Json)["0"] = { type: "pbkdf2", keyslots: ["0"], segments: ["2"] };
        (json["digests"] as Json)["1"] = { type: "pbkdf2", keyslots: ["4"], segments: ["0", "1"] };
      },
    ],
    [
      "an area outside of that of keyslots",
      (json) => (((json["keyslots"] as Json)["2"] as Json)["area"] = { ...CHECKSUMS, offset: "4096" }),
    ],
    [
      "a hotzone that nothing tells of",
      (json) => {
        (json["segments"] as Json)["0"] = { ...segment, flags: ["in-reencryption"] };
        ((json["keyslots"] as Json)["2"] as Json)["area"] = { ...CHECKSUMS, type: "none" };
      },
    ],
    ["two reencrypt keyslots", (json) => ((json["keyslots"] as Json)["5"] = (json["keyslots"] as Json)["2"])],
    ["data left", (json) => ((json["segments"] as Json)["0"] = { ...segment, size: "4096" })],
    ["two segments", (json) => ((json["segments"] as Json)["3"] = segment)],
    [
      "a hotzone before the last",
      (json) => {
        (json["segments"] as Json)["0"] = { ...segment, size: "4096", flags: ["in-reencryption"] };
        (json["segments"] as Json)["3"] = segment;
      },
    ],
    ["no final segment", (json) => delete (json["segments"] as Json)["2"]],
    ["no keyslot of the new key", (json) => (((json["digests"] as Json)["0"] as Json)["keyslots"] = [])],
    ["members of other types", (json) => (json["segments"] = [1, 2, 3])],
  ];
  for (const [what, change] of changes) {
    const json = interrupted();
    change(json);
    assert.equal(completedReencryption(both(json)), null, what);
  }
});

/** As `interrupted`, with the keyslot of the old key, which a token names beside the new one. */
function withOldKey(): Json {
  const json = interrupted();
  (json["keyslots"] as Json)["4"] = {
    type: "luks2",
    area: { type: "raw", offset: "32768", size: "258048" },
  };
  (json["digests"] as Json)["1"] = { type: "pbkdf2", keyslots: ["4"], segments: ["1"] };
  json["tokens"] = { "3": { type: "luks2-keyring", keyslots: ["4", "0"] } };
  return json;
}

test("keyslots of the old key are overwritten and go, from tokens too", () => {
  const end = missingEnd(both(withOldKey()));
  assert.ok(end !== null);
  assert.equal(end.unproven, null);
  assert.deepEqual(end.wiped, [
    { offset: 548864n, length: 16384n },
    { offset: 32768n, length: 258048n },
  ]);
  assert.deepEqual(
    jsonOf(end.copies, 0),
    JSON.parse(JSON.stringify({ ...completed, tokens: { "3": { type: "luks2-keyring", keyslots: ["0"] } } })),
  );
});

test("an encryption that is done has no old key", () => {
  const json = interrupted();
  ((json["keyslots"] as Json)["2"] as Json)["mode"] = "encrypt";
  (json["segments"] as Json)["1"] = {
    type: "linear",
    offset: "2097152",
    size: "dynamic",
    flags: ["backup-previous"],
  };
  delete (json["digests"] as Json)["1"];
  const end = missingEnd(both(json));
  assert.ok(end !== null && end.unproven === null);
  assert.deepEqual(jsonOf(end.copies, HALF), JSON.parse(JSON.stringify(completed)));
  // Before it has begun, the data are plain.
  (json["segments"] as Json)["0"] = { type: "linear", offset: "2097152", size: "dynamic" };
  assert.equal(missingEnd(both(json)), null);
});

test("the last piece may be done although it is said to be in work", () => {
  const json = withOldKey();
  (json["segments"] as Json)["0"] = { ...segment, size: "4096000" };
  (json["segments"] as Json)["3"] = {
    ...segment,
    offset: "6193152",
    size: "131072",
    flags: ["in-reencryption"],
  };
  (json["digests"] as Json)["0"] = { type: "pbkdf2", keyslots: ["0"], segments: ["0", "2", "3"] };
  const end = missingEnd(both(json));
  assert.ok(end !== null);
  assert.deepEqual(end.unproven, {
    offset: 6193152n,
    length: 131072n,
    blockBytes: 4096,
    hash: "sha256",
    hashes: { offset: 548864n, length: 16384n },
  });
  assert.deepEqual((jsonOf(end.copies, 0) as Json)["segments"], { "0": segment });
  // Of a first piece nothing is before it that would have to be done.
  delete (json["segments"] as Json)["0"];
  assert.ok(missingEnd(both(json)) !== null);
});

test("no bytes make it fail", () => {
  const whole = both(interrupted());
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.uint8Array({ minLength: 1, maxLength: 64 }), (at, bytes) => {
      const damaged = Buffer.from(whole);
      damaged.set(bytes.subarray(0, whole.length - at), at);
      const result = completedReencryption(damaged);
      // One copy is right in any case.
      assert.ok(result?.length === whole.length);
    }),
  );
  fc.assert(
    fc.property(fc.json(), (json) => {
      completedReencryption(both(json));
    }),
  );
  for (const length of [0, 1, 4096, 8192, 8193])
    assert.equal(completedReencryption(Buffer.alloc(length)), null);
});
